"""
Retrain a model every year, register the new version, connect its data, complete the version, and set up the
monitors of the model.

To use it for a model of yours, change the three lines below and what ``retrain`` does. DAGs that are
scheduled on ``version_completed("employment")``, from :mod:`aporia_provider.assets`, run once after each
retrain.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from airflow.sdk import dag, task

from aporia_provider.data_sources import S3DataSource
from aporia_provider.operators.access import GrantS3ReadAccessOperator
from aporia_provider.operators.alerts import MonitorModelOperator
from aporia_provider.operators.completion import CompleteModelVersionOperator
from aporia_provider.operators.dataset import (
    ConnectActualsOperator,
    ConnectServingOperator,
    ConnectTrainingOperator,
)
from aporia_provider.operators.model import CreateModelOperator
from aporia_provider.operators.version import CreateModelVersionOperator
from aporia_provider.schema import VersionSchema

MODEL_ID = "employment"
LAKE = "s3://lake/employment"
READER = "arn:aws:iam::123456789012:root"

# The time of the run, to the second: the same in all its tasks, also when one is cleared and runs again. Runs
# that are started without a date, by hand or by assets, have no logical date; run_after always exists.
VERSION = "{{ (dag_run.logical_date or dag_run.run_after) | ts_nodash }}"

DATA = Path(__file__).parent / "data" / "census_employment.parquet"
CODES = ["SCHL", "MAR", "RELP", "DIS", "ESP", "CIT", "MIG", "MIL", "ANC", "NATIVITY", "DEAR", "DEYE", "DREM"]
PROTECTED = ["SEX", "RAC1P"]
SCHEMA = VersionSchema(
    model_type="binary",
    # The model does not see sex and race; as raw inputs they are monitored all the same.
    raw_inputs=dict.fromkeys(PROTECTED, "categorical"),
    features={"AGEP": "numeric", **dict.fromkeys(CODES, "categorical")},
    predictions={"employed": "boolean", "probability": "numeric"},
)


def table(name: str) -> S3DataSource:
    """Each version has its own tables, so that registering it again finds the same data."""
    return S3DataSource(object_path=f"{LAKE}/{VERSION}/{name}", object_format="delta")


@dag(schedule="@yearly", start_date=datetime(2016, 1, 1, tzinfo=UTC), catchup=False, tags=["aporia"])
def retrain_and_register():
    @task
    def retrain(version: str) -> dict[str, float]:
        """Train on the years before, predict this one, and write what the platform will read."""
        import pandas as pd
        from deltalake import write_deltalake
        from sklearn.metrics import roc_auc_score
        from sklearn.tree import DecisionTreeClassifier

        from aporia_provider.hooks.delta_lake import DeltaLakeHook

        people = pd.read_parquet(DATA).rename_axis("id").reset_index()
        # The data ends in 2018; later runs predict that year again.
        year = min(int(version[:4]), int(people.year.max()))
        known, current = people[people.year < year], people[people.year == year]
        model = DecisionTreeClassifier(min_samples_leaf=100, random_state=0)
        model.fit(known[list(SCHEMA.features)], known.employed)

        def scored(rows: pd.DataFrame) -> pd.DataFrame:
            """Spread a year's rows evenly over it: the survey does not say the day."""
            start = pd.to_datetime(rows.year.astype(str), utc=True)
            place = rows.groupby("year").cumcount() / rows.groupby("year").year.transform("size")
            probability = model.predict_proba(rows[list(SCHEMA.features)])[:, 1]
            return rows.drop(columns="year").assign(
                predicted_at=(start + pd.to_timedelta(place * 365, unit="D")).dt.as_unit("us"),
                label=rows.employed == 1,
                employed=probability >= 0.5,
                probability=probability,
            )

        training, serving = scored(known), scored(current)
        actuals = serving[["id", "label"]].assign(known_at=serving.predicted_at + pd.Timedelta(days=30))
        tables = {"training": training, "serving": serving.drop(columns="label"), "actuals": actuals}
        storage_options = DeltaLakeHook().delta_options()
        for name, rows in tables.items():
            path = f"{LAKE}/{version}/{name}"
            write_deltalake(path, rows, mode="overwrite", storage_options=storage_options)
        return {"rows": len(serving), "auc": float(roc_auc_score(serving.label, serving.probability))}

    create_model = CreateModelOperator(task_id="create_model", model_id=MODEL_ID, name="Employment")
    create_version = CreateModelVersionOperator(
        task_id="create_version", model_id=MODEL_ID, model_version=VERSION, schema=SCHEMA
    )
    grant_access = GrantS3ReadAccessOperator(
        task_id="grant_access",
        role_name=f"aporia-{MODEL_ID}",
        data_sources=[S3DataSource(object_path=LAKE, object_format="delta")],
        trusted_principal=READER,
    )
    version = {"model_id": MODEL_ID, "model_version": VERSION, "id_column": "id"}
    labels = {"employed": "label", "probability": "label"}
    connect_training = ConnectTrainingOperator(
        task_id="connect_training",
        data_source=table("training"),
        timestamp_column="predicted_at",
        labels=labels,
        **version,
    )
    connect_serving = ConnectServingOperator(
        task_id="connect_serving",
        data_source=table("serving"),
        timestamp_column="predicted_at",
        **version,
    )
    connect_actuals = ConnectActualsOperator(
        task_id="connect_actuals",
        data_source=table("actuals"),
        timestamp_column="known_at",
        labels=labels,
        **version,
    )
    complete = CompleteModelVersionOperator(task_id="complete", model_id=MODEL_ID, model_version=VERSION)
    monitor = MonitorModelOperator(task_id="monitor", model_id=MODEL_ID, max_version_age="54w")
    retrain(VERSION) >> create_model >> create_version >> grant_access
    grant_access >> [connect_training, connect_serving, connect_actuals] >> complete >> monitor


retrain_and_register()
