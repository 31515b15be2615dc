"""The examples of the how-to guides: a DAG with every operator."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

from airflow.sdk import DAG, chain

from aporia_provider.alerts import Alert, AlertEvent, alert_text
from aporia_provider.assets import version_completed
from aporia_provider.custom_metrics import CustomMetric
from aporia_provider.data_sources import S3DataSource
from aporia_provider.monitor_definitions import MonitorDefinition
from aporia_provider.operators.access import GrantS3ReadAccessOperator
from aporia_provider.operators.alerts import (
    EvaluateMonitorsOperator,
    MonitorModelOperator,
    NotifyAlertsOperator,
)
from aporia_provider.operators.completion import CompleteModelVersionOperator
from aporia_provider.operators.dataset import (
    ConnectActualsOperator,
    ConnectServingOperator,
    ConnectTestingOperator,
    ConnectTrainingOperator,
    SetSyncEnabledOperator,
)
from aporia_provider.operators.export import ExportMetricsOperator
from aporia_provider.operators.model import AddModelTagsOperator, CreateModelOperator, DeleteModelOperator
from aporia_provider.operators.monitors import (
    ApplyMonitorsOperator,
    CreateMonitorOperator,
    DeleteMonitorOperator,
)
from aporia_provider.operators.retirement import RetireModelVersionsOperator
from aporia_provider.operators.segments import (
    CreateCustomMetricOperator,
    CreateSegmentOperator,
    DeleteCustomMetricOperator,
    DeleteSegmentOperator,
)
from aporia_provider.operators.sync import SyncDatasetOperator
from aporia_provider.operators.sync_datasets import SyncDatasetsOperator
from aporia_provider.operators.version import CreateModelVersionOperator
from aporia_provider.schema import VersionSchema
from aporia_provider.segments import Segment
from aporia_provider.sensors.dataset_sync import DatasetSyncSensor
from aporia_provider.sensors.delta_table import DeltaTableSensor
from aporia_provider.sensors.label_coverage import LabelCoverageSensor
from aporia_provider.table_assets import delta_table_asset

START = datetime(2026, 1, 1, tzinfo=UTC)
VERSION = {"model_id": "insurance", "model_version": "v1"}


# example: send
def send(alert: Alert, event: AlertEvent) -> None:
    """Tell somebody: here, whoever reads the log."""
    logging.getLogger(__name__).warning("%s", alert_text(alert, event))


# end

with DAG("operators", schedule=None, start_date=START):
    # example: create_model
    create_model = CreateModelOperator(
        task_id="create_model",
        model_id="insurance",
        name="Insurance",
        description="Predicts who buys an insurance",
        tags={"team": "pricing"},
        aggregation_period="daily",
    )
    # end
    # example: add_model_tags
    add_tags = AddModelTagsOperator(task_id="add_tags", model_id="insurance", tags={"stage": "production"})
    # end
    # example: create_version
    create_version = CreateModelVersionOperator(
        task_id="create_version",
        model_id="insurance",
        model_version="v1",
        schema=VersionSchema(
            model_type="binary",
            raw_inputs={"channel": "categorical"},
            features={"amount": "numeric"},
            predictions={"will_buy": "boolean", "proba": "numeric"},
        ),
    )
    # end
    # example: infer_version
    infer_version = CreateModelVersionOperator(
        task_id="infer_version",
        model_id="insurance",
        model_version="v2",
        infer_from=S3DataSource(object_path="s3://lake/insurance/serving", object_format="delta"),
        model_type="binary",
        predictions=["will_buy", "proba"],
        raw_inputs=["channel"],
        exclude=["id", "predicted_at"],
    )
    # end
    # example: grant_access
    grant_access = GrantS3ReadAccessOperator(
        task_id="grant_access",
        role_name="aporia-insurance",
        data_sources=[S3DataSource(object_path="s3://lake/insurance", object_format="delta")],
        trusted_principal="arn:aws:iam::123456789012:root",
    )
    # end
    # example: connect_training
    connect_training = ConnectTrainingOperator(
        task_id="connect_training",
        data_source=S3DataSource(object_path="s3://lake/insurance/training", object_format="delta"),
        id_column="id",
        timestamp_column="predicted_at",
        labels={"will_buy": "bought", "proba": "bought"},
        **VERSION,
    )
    # end
    # example: connect_testing
    connect_testing = ConnectTestingOperator(
        task_id="connect_testing",
        data_source=S3DataSource(object_path="s3://lake/insurance/testing", object_format="delta"),
        id_column="id",
        timestamp_column="predicted_at",
        labels={"will_buy": "bought", "proba": "bought"},
        **VERSION,
    )
    # end
    # example: connect_serving
    connect_serving = ConnectServingOperator(
        task_id="connect_serving",
        data_source=S3DataSource(object_path="s3://lake/insurance/serving", object_format="delta"),
        id_column="id",
        timestamp_column="predicted_at",
        schedule="0 * * * *",
        **VERSION,
    )
    # end
    # example: connect_actuals
    connect_actuals = ConnectActualsOperator(
        task_id="connect_actuals",
        data_source=S3DataSource(object_path="s3://lake/insurance/actuals", object_format="delta"),
        id_column="id",
        timestamp_column="known_at",
        labels={"will_buy": "bought", "proba": "bought"},
        schedule="0 6 * * *",
        **VERSION,
    )
    # end
    # example: complete
    complete = CompleteModelVersionOperator(task_id="complete", model_id="insurance", model_version="v1")
    # end
    # example: sync
    sync = SyncDatasetOperator(task_id="sync", model_id="insurance", model_version="v1", role="serving")
    # end
    # example: sync_several
    sync_several = SyncDatasetsOperator(
        task_id="sync_several",
        datasets=[
            {"model_id": "insurance", "model_version": "v1", "role": role}
            for role in ("training", "testing", "actuals")
        ],
    )
    # end
    # example: wait_for_table
    wait_for_table = DeltaTableSensor(
        task_id="wait_for_table",
        table_uri="s3://lake/insurance/serving",
        timestamp_column="predicted_at",
        data_until="2026-01-01",
        poke_interval=60,
        timeout=timedelta(hours=6),
        deferrable=True,
    )
    # end
    # example: wait_for_sync
    wait_for_sync = DatasetSyncSensor(
        task_id="wait_for_sync",
        model_id="insurance",
        model_version="v1",
        role="actuals",
        table_version=0,
        poke_interval=60,
        timeout=timedelta(hours=1),
        deferrable=True,
    )
    # end
    # example: wait_for_labels
    wait_for_labels = LabelCoverageSensor(
        task_id="wait_for_labels",
        model_id="insurance",
        model_version="v1",
        start="2026-01-01",
        end="2026-01-02",
        min_coverage=0.9,
        prediction="proba",
        poke_interval=600,
        timeout=timedelta(days=3),
        deferrable=True,
    )
    # end
    # example: create_segment
    create_segment = CreateSegmentOperator(
        task_id="create_segment",
        model_id="insurance",
        segment=Segment(name="amount", field="amount", edges=[0, 2, 4, 10]),
    )
    # end
    # example: create_custom_metric
    create_custom_metric = CreateCustomMetricOperator(
        task_id="create_custom_metric",
        model_id="insurance",
        custom_metric=CustomMetric(
            name="share of the shop",
            code="""sum(column="amount", filter="channel = 'shop'") / sum(column="amount")""",
        ),
    )
    # end
    # example: delete_segment
    delete_segment = DeleteSegmentOperator(task_id="delete_segment", model_id="insurance", name="amount")
    # end
    # example: delete_custom_metric
    delete_custom_metric = DeleteCustomMetricOperator(
        task_id="delete_custom_metric", model_id="insurance", name="share of the shop"
    )
    # end
    # example: monitor_model
    monitor_model = MonitorModelOperator(
        task_id="monitor_model",
        model_id="insurance",
        false_alarms_a_year=1,
        max_version_age="8w",
        notify=send,
    )
    # end
    # example: create_monitor
    create_monitor = CreateMonitorOperator(
        task_id="create_monitor",
        model_id="insurance",
        monitor=MonitorDefinition(
            name="Mean amount",
            type="metric_change",
            metric="mean",
            features=["amount"],
            min_ratio=0.8,
            max_ratio=1.2,
            baseline="4w",
        ),
    )
    # end
    # example: apply_monitors
    apply_monitors = ApplyMonitorsOperator(task_id="apply_monitors", monitors="monitors.yaml")
    # end
    # example: notify_alerts
    notify_alerts = NotifyAlertsOperator(task_id="notify_alerts", notify=send)
    # end
    # example: evaluate_monitors
    evaluate_monitors = EvaluateMonitorsOperator(task_id="evaluate_monitors", notify=send)
    # end
    # example: delete_monitor
    delete_monitor = DeleteMonitorOperator(task_id="delete_monitor", model_id="insurance", name="Mean amount")
    # end
    # example: retire
    retire = RetireModelVersionsOperator(
        task_id="retire", model_id="insurance", keep=10, ended_for=timedelta(days=90)
    )
    # end
    # example: export_metrics
    export_metrics = ExportMetricsOperator(
        task_id="export_metrics",
        model_id="insurance",
        model_version="v1",
        location="s3://lake/monitoring/insurance",
    )
    # end
    # example: disable_syncs
    disable_syncs = SetSyncEnabledOperator(
        task_id="disable_syncs", model_id="insurance", model_version="v1", enabled=False
    )
    # end
    # example: delete_model
    delete_model = DeleteModelOperator(task_id="delete_model", model_id="insurance")
    # end
    connect = [connect_training, connect_testing, connect_serving, connect_actuals]
    create_model >> [add_tags, create_version]
    for task in connect:
        [create_version, grant_access] >> task
    chain(create_version, infer_version)
    monitors = [create_monitor, apply_monitors]
    alerts = [notify_alerts, evaluate_monitors]
    chain(wait_for_table, connect_serving)
    chain(
        connect,
        complete,
        [create_segment, create_custom_metric],
        sync,
        sync_several,
        wait_for_sync,
        wait_for_labels,
        monitor_model,
    )
    chain(monitor_model, monitors, alerts, delete_monitor)
    chain(monitor_model, export_metrics, delete_monitor)
    chain(delete_monitor, [delete_segment, delete_custom_metric], retire, disable_syncs, delete_model)
    infer_version >> delete_model

# example: consumer
with DAG("after_registration", schedule=[version_completed("insurance")], start_date=START):
    SyncDatasetOperator(task_id="sync", model_id="insurance", model_version="v1", role="training")
# end

# example: watcher
with DAG(
    "after_commits", schedule=[delta_table_asset("s3://lake/insurance/serving", watch=True)], start_date=START
):
    SyncDatasetOperator(task_id="sync", model_id="insurance", model_version="v1", role="serving")
# end
