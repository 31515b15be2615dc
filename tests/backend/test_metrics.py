"""Questions about metrics: the answers are those of numpy, scipy and scikit-learn on the rows themselves."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from deltalake import write_deltalake
from scipy.spatial.distance import jensenshannon
from scipy.stats import ks_2samp, wasserstein_distance
from sklearn import metrics as oracle

from aporia_provider import models
from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.cli.main import main
from aporia_provider.client import AporiaClient
from aporia_provider.data_sources import S3DataSource
from aporia_provider.datasets import DatasetConnection
from aporia_provider.errors import NotFoundError, ValidationError
from aporia_provider.metric_results import MetricResult, QueryResult, RangeResults, ResultRange
from aporia_provider.metrics import MetricsQuery
from aporia_provider.report import as_table
from aporia_provider.schema import VersionSchema
from tests.backend.running import run_cli, serving, token_for

DAYS, PER_DAY = 4, 600
FIRST = datetime(2024, 3, 1, tzinfo=UTC)
SCHEMA = VersionSchema(
    model_type="binary",
    raw_inputs={"note": "text", "seen": "datetime", "shared": "numeric"},
    features={
        "age": "numeric",
        "city": "categorical",
        "vip": "boolean",
        "place": "vector",
        "parts": "dict",
        "shared": "numeric",
    },
    predictions={"score": "numeric"},
)
# A second version, whose training set is another and so are its bins.
OTHER = VersionSchema(
    model_type="binary", features={"age": "numeric"}, predictions={"score": "numeric", "other": "numeric"}
)
PARTS = pa.struct([("a", pa.float64()), ("b", pa.float64())])


def rows(seed: int, count: int, shift: float = 0.0, days: int = DAYS) -> pa.Table:
    """Rows spread evenly over days, with nulls in ``age``, and scores that tell something about the label."""
    rng = np.random.default_rng(seed)
    age = rng.normal(40 + shift, 9, count)
    label = rng.random(count) < 0.3
    place = rng.normal(size=(count, 3)) + shift
    at = int(FIRST.timestamp() * 1_000_000) + np.arange(count) * (days * 86_400_000_000 // count)
    return pa.table(
        {
            "id": [f"{seed}-{number}" for number in range(count)],
            "at": pa.array(at, pa.timestamp("us", "UTC")),
            "age": pa.array([None if number % 10 == 0 else value for number, value in enumerate(age)]),
            "city": rng.choice(["Rome", "Oslo", "Bern"], count, p=[0.5, 0.3, 0.2]),
            "vip": rng.random(count) < 0.25,
            "place": pa.array(list(place), pa.list_(pa.float64())),
            "parts": pa.array([{"a": value, "b": None} for value in rng.random(count)], PARTS),
            "note": ["x" * (number % 7) for number in range(count)],
            "seen": pa.array(at, pa.timestamp("us", "UTC")),
            "shared": rng.random(count),
            "other": rng.random(count),
            "score": np.clip(0.3 + 0.3 * label + rng.normal(0, 0.15, count), 0, 1),
            "label": label,
        }
    )


@dataclass
class Model:
    """A registered model, its rows, and where it is stored."""

    url: str
    registry: EmbeddedRegistry
    training: pa.Table
    serving: pa.Table

    def day(self, day: int) -> pa.Table:
        return self.serving.slice(day * PER_DAY, PER_DAY)

    @property
    def labelled(self) -> pa.Table:
        """Three of four predictions have a label."""
        return self.serving.take([place for place in range(len(self.serving)) if place % 4])

    def ask(self, metric: str, column: str | None = None, **more: Any) -> list[dict[str, Any]]:
        results = self.registry.query_metrics(question(metric, column, **more))
        return flat(item.to_json() for item in results)

    def value(self, metric: str, column: str | None = None, **more: Any) -> Any:
        (answer,) = self.ask(metric, column, **more)
        assert (answer["status"], answer["error"]) == ("ok", None), answer
        return answer["value"]


def question(
    metric: str,
    column: str | None = None,
    *,
    by: str | None = None,
    role: str = "serving",
    start: Any = None,
    end: Any = None,
    version: str | None = "v1",
    baseline: Mapping[str, Any] | None = None,
    **parameters: Any,
) -> MetricsQuery:
    time_range = {"start": start, "end": end} if start else None
    data = {"dataset_type": role, "model_version": version, "time_range": time_range}
    asked = {
        "metric": metric,
        "parameters": {"column": column, **parameters},
        "datasets": {"data": data, "baseline": baseline},
    }
    return MetricsQuery.from_wire({"model_id": "m", "metrics": [asked], "aggregation_period": by})


def flat(items: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"time_range": item["time_range"], **item["metrics"][0]} for item in items]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, engine: str) -> Iterator[Model]:
    folder = tmp_path_factory.mktemp("metrics")
    url = f"sqlite:///{folder}/aporia.db"
    with EmbeddedRegistry(url, "prod") as registry:
        made = Model(url, registry, rows(1, 3000, days=30), rows(2, DAYS * PER_DAY, shift=2.0))
        registry.create_model(models.Model(id="m", name="M"))
        registry.create_model_version("m", "v0", OTHER)
        registry.create_model_version("m", "v1", SCHEMA)
        actuals = made.labelled.select(["id", "at", "label"])
        tables = {"training": made.training, "serving": made.serving, "actuals": actuals}
        connect(registry, folder, "v1", tables)
        connect(registry, folder / "other", "v0", {"training": rows(3, 2000), "serving": rows(4, 2000)})
        for version, roles in (("v0", ("training", "serving")), ("v1", tables)):
            for role in roles:
                registry.sync_dataset("m", version, role, engine=engine)  # type: ignore[arg-type]
        yield made


def connect(registry: EmbeddedRegistry, folder: Path, version: str, tables: Mapping[str, pa.Table]) -> None:
    for role, table in tables.items():
        write_deltalake(f"{folder}/{role}", table)
        registry.connect_dataset(
            "m",
            version,
            DatasetConnection(
                role=role,
                data_source=S3DataSource(object_path=f"file://{folder}/{role}", object_format="delta"),
                id_column="id",
                timestamp_column="at",
                labels={"score": "label"} if role == "actuals" else None,
            ),
        )


def numbers(table: pa.Table, column: str) -> np.ndarray[Any, Any]:
    return np.asarray(table[column].drop_null().to_numpy())


NUMPY = {
    "mean": np.mean,
    "min": np.min,
    "max": np.max,
    "sum": np.sum,
    "std": np.std,
    "variance": lambda values: np.var(values, ddof=1),
    "absolute_sum": lambda values: np.abs(values).sum(),
    "squared_sum": lambda values: (values**2).sum(),
    "squared_deviation_sum": lambda values: ((values - values.mean()) ** 2).sum(),
}


@pytest.mark.parametrize("metric", NUMPY)
def test_statistics_of_numbers_are_numpys_by_day_and_merged(model: Model, metric: str) -> None:
    expected = NUMPY[metric](numbers(model.serving, "age"))
    assert model.value(metric, "age") == pytest.approx(expected, rel=1e-9)
    by_day = [answer["value"] for answer in model.ask(metric, "age", by="daily")]
    days = [NUMPY[metric](numbers(model.day(day), "age")) for day in range(DAYS)]
    assert by_day == pytest.approx(days, rel=1e-9)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.25, 0.5, 0.9, 1.0])
def test_quantiles_are_within_their_bound(model: Model, share: float) -> None:
    (answer,) = model.ask("quantile", "age", quantile=share)
    exact = np.quantile(numbers(model.serving, "age"), share)
    assert abs(answer["value"] - exact) <= answer["bound"] + 1e-12
    assert answer["bound"] < 3
    if share == 0.5:
        assert model.ask("median", "age")[0]["value"] == answer["value"]


def test_counts_of_rows_and_missing_values(model: Model) -> None:
    assert model.value("count") == DAYS * PER_DAY
    assert model.value("missing_count", "age") == DAYS * PER_DAY / 10
    assert model.value("missing_ratio", "age") == 0.1
    assert model.value("column_count", "age") == DAYS * PER_DAY * 0.9
    rows = [
        model.value(name) for name in ("null_ids", "duplicate_ids", "null_timestamps", "future_timestamps")
    ]
    assert rows == [0, 0, 0, 0]


def test_statistics_of_other_types(model: Model) -> None:
    cities = Counter(model.serving["city"].to_pylist())
    assert model.value("histogram", "city") == {"counts": dict(cities.most_common()), "unlisted": 0}
    assert model.value("unique_values", "city") == 3
    assert model.value("value_count", "city", value="Oslo") == cities["Oslo"]
    assert model.value("value_count", "city", value="Paris") == 0
    assert model.value("value_count", "vip", value="true") == sum(model.serving["vip"].to_pylist())
    assert model.value("mean_length", "note") == pytest.approx(
        np.mean([n % 7 for n in range(DAYS * PER_DAY)])
    )
    assert (model.value("min_length", "note"), model.value("max_length", "note")) == (0, 6)
    assert model.value("min", "seen") == FIRST.isoformat()
    assert model.value("mean", "parts[a]") == pytest.approx(
        np.mean([part["a"] for part in model.serving["parts"].to_pylist()]), rel=1e-9
    )
    place = np.array(model.serving["place"].to_pylist())
    assert model.value("mean_vector", "place") == pytest.approx(place.mean(axis=0), rel=1e-9)
    assert model.value("mean_norm", "place") == pytest.approx(np.linalg.norm(place, axis=1).mean(), rel=1e-9)


def shares(table: pa.Table, boundaries: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    values = numbers(table, "age")
    counts = np.histogram(values, [-np.inf, *boundaries, np.inf])[0]
    return np.asarray(counts / counts.sum())


def test_distances_of_numbers_are_scipys_on_the_deciles_of_training(model: Model) -> None:
    deciles = np.quantile(numbers(model.training, "age"), np.arange(1, 10) / 10)
    before, now = shares(model.training, deciles), shares(model.serving, deciles)
    assert model.value("js_distance", "age") == pytest.approx(jensenshannon(before, now, 2), abs=1e-9)
    hellinger = np.sqrt(((np.sqrt(before) - np.sqrt(now)) ** 2).sum() / 2)
    assert model.value("hellinger_distance", "age") == pytest.approx(hellinger, abs=1e-9)
    psi = ((now - before) * np.log(now / before)).sum()
    assert model.value("psi", "age") == pytest.approx(psi, abs=1e-9)
    assert model.value("drift_score", "age") == model.value("js_distance", "age")


def test_distances_of_whole_distributions_are_within_their_bounds(model: Model) -> None:
    before, now = numbers(model.training, "age"), numbers(model.serving, "age")
    (ks,) = model.ask("ks_distance", "age")
    assert ks["value"] <= ks_2samp(before, now).statistic + 1e-12 <= ks["value"] + ks["bound"] + 2e-12
    assert (ks["samples"], ks["baseline_samples"]) == (len(now), len(before))
    (moved,) = model.ask("wasserstein_distance", "age")
    assert abs(moved["value"] - wasserstein_distance(before, now)) <= moved["bound"] + 1e-12
    assert moved["bound"] < 0.3


def test_distances_of_categories_and_vectors(model: Model) -> None:
    before, now = (Counter(table["city"].to_pylist()) for table in (model.training, model.serving))
    pairs = [(before[city] / before.total(), now[city] / now.total()) for city in before]
    expected = np.sqrt(1 - sum(np.sqrt(p * q) for p, q in pairs))
    (answer,) = model.ask("hellinger_distance", "city")
    assert answer["value"] == pytest.approx(expected, abs=1e-9)
    assert answer["noise"] == pytest.approx(np.sqrt(2 * (1 / 3000 + 1 / 2400) / 8))
    assert model.value("drift_score", "city") == answer["value"]
    places = [np.array(table["place"].to_pylist()) for table in (model.training, model.serving)]
    means = [side.mean(axis=0) for side in places]
    (apart,) = model.ask("drift_score", "place")
    assert apart["value"] == pytest.approx(np.linalg.norm(means[0] - means[1]), rel=1e-9)
    spread = np.concatenate(places).var(axis=0, ddof=1).sum()
    assert apart["noise"] == pytest.approx(np.sqrt(spread * (1 / 3000 + 1 / 2400)), rel=1e-9)
    assert apart["excess"] == pytest.approx(apart["value"] - apart["noise"])


def test_performance_is_scikit_learns(model: Model) -> None:
    label, score = model.labelled["label"].to_numpy(), model.labelled["score"].to_numpy()
    assert model.value("accuracy") == pytest.approx(oracle.accuracy_score(label, score >= 0.5), rel=1e-9)
    assert model.value("f1", threshold=0.4) == pytest.approx(oracle.f1_score(label, score >= 0.4), rel=1e-9)
    assert model.value("logloss") == pytest.approx(oracle.log_loss(label, score), rel=1e-9)
    (auc,) = model.ask("auc_roc")
    assert abs(auc["value"] - oracle.roc_auc_score(label, score)) <= auc["bound"] <= 2e-3
    assert model.value("label_coverage") == 0.75
    assert [answer["samples"] for answer in model.ask("accuracy", by="daily")] == [PER_DAY * 3 // 4] * DAYS


def test_a_range_is_answered_in_whole_buckets(model: Model) -> None:
    (answer,) = model.ask("count", start="2024-03-02T12:00:00", end="2024-03-03T01:00:00+01:00")
    assert answer["time_range"] == {
        "start": "2024-03-02T00:00:00+00:00",
        "end": "2024-03-03T00:00:00+00:00",
    }
    assert answer["value"] == PER_DAY
    assert [item["time_range"]["start"][:10] for item in model.ask("count", by="daily")] == [
        f"2024-03-0{day + 1}" for day in range(DAYS)
    ]
    assert model.value("count", start="2030-01-01", end="2030-01-02") == 0
    assert model.ask("mean", "age", start="2030-01-01", end="2030-01-02")[0]["status"] == "insufficient_data"


def test_a_baseline_can_be_a_window_before_each_day(model: Model) -> None:
    baseline = {"dataset_type": "serving", "time_period": "1d", "skip_period": "1d"}
    answers = model.ask("hellinger_distance", "city", by="daily", baseline=baseline, minimum_baseline=500)
    assert [answer["status"] for answer in answers] == ["insufficient_data", "insufficient_data", "ok", "ok"]
    before, now = (Counter(model.day(day)["city"].to_pylist()) for day in (0, 2))
    expected = np.sqrt(1 - sum(np.sqrt(before[city] * now[city]) / PER_DAY for city in before))
    assert answers[2]["value"] == pytest.approx(expected, abs=1e-9)


def test_a_baseline_can_be_another_version_with_bins_of_its_own(model: Model) -> None:
    baseline = {"dataset_type": "serving", "model_version": "v0"}
    (answer,) = model.ask("ks_distance", "age", baseline=baseline)
    exact = ks_2samp(numbers(rows(4, 2000), "age"), numbers(model.serving, "age")).statistic
    assert abs(answer["value"] - exact) <= answer["bound"]
    assert answer["bound"] < 0.03
    assert answer["baseline_samples"] == 1800


def test_too_little_data_is_an_answer_of_its_own(model: Model) -> None:
    (answer,) = model.ask("drift_score", "age", baseline={"dataset_type": "training"}, minimum=5000)
    assert (answer["value"], answer["status"], answer["error"]) == (None, "insufficient_data", None)
    assert "5000" in answer["reason"]
    (answer,) = model.ask("accuracy", minimum=10_000)
    assert (answer["value"], answer["status"]) == (None, "insufficient_data")
    assert answer["shown"] == model.value("accuracy")


@pytest.mark.parametrize(
    ("metric", "column", "more", "words"),
    [
        ("meen", "age", {}, "no metric 'meen'; did you mean 'mean'"),
        ("coutn", None, {}, "no metric 'coutn'; did you mean 'count'"),
        ("accurcy", "shared", {}, "no metric 'accurcy'; did you mean 'accuracy'"),
        ("drift_scor", "age", {}, "did you mean 'drift_score'"),
        ("ndcg_at_k", "score", {}, "is for ranking models, not for binary"),
        ("rmse", None, {}, "is for regression models, not for binary"),
        ("value_count", "age", {"value": 3}, "'value_count' of numeric fields; available: absolute"),
        ("mean", "age[x]", {}, "'age[x]' names a key of a dict, but 'age' is numeric"),
        ("mean", "feature.age", {}, "did you mean 'features.age'"),
        ("mean", "agee", {}, "did you mean 'age'"),
        ("mean", "city", {}, "categorical"),
        ("mean", None, {}, "requires a column"),
        ("mean", "shared", {}, "raw_inputs.shared or features.shared"),
        ("quantile", "age", {"quantile": 2}, "from 0 to 1"),
        ("value_count", "city", {}, "requires the parameter value"),
        ("ks_distance", "city", {}, "categories"),
        ("accuracy", "scor", {}, "'score'"),
        ("tp_count_per_class", None, {}, "tp_count_per_class"),
        ("count", None, {"by": "hourly"}, "hourly"),
        ("drift_score", "age", {"baseline": {"dataset_type": "testing"}}, "testing"),
        ("drift_score", "age", {"baseline": {"time_period": "2w"}}, "time_range"),
        ("accuracy", None, {"version": "v9"}, "v9"),
        ("accuracy", None, {"version": "v0"}, "several predictions"),
    ],
)
def test_what_cannot_be_answered_says_why(
    model: Model, metric: str, column: str | None, more: dict[str, Any], words: str
) -> None:
    if "by" in more:
        with pytest.raises(ValidationError, match=words):
            model.ask(metric, column, **more)
        return
    (answer,) = model.ask(metric, column, **more)
    assert answer["value"] is None
    assert words in answer["error"], answer["error"]


def test_a_question_is_checked_before_it_is_asked(model: Model) -> None:
    with pytest.raises(ValidationError) as caught:
        MetricsQuery.from_wire(
            {
                "model_id": "m",
                "metrics": [
                    {
                        "metric": "",
                        "datasets": {
                            "data": {
                                "dataset_type": "served",
                                "time_range": {"start": "2024-01-02", "end": "2024-01-01"},
                            }
                        },
                    }
                ],
                "aggregation_period": "yearly",
            }
        )
    assert len(caught.value.problems) == 4
    with pytest.raises(NotFoundError):
        model.registry.query_metrics(MetricsQuery.from_wire({**question("count").to_wire(), "model_id": "n"}))


def test_other_questions_are_answered_beside_one_that_cannot_be(model: Model) -> None:
    asked = question("count").to_wire()["metrics"][0]
    query = {
        "model_id": "m",
        "metrics": [{**asked, "id": "good"}, {**asked, "id": "bad", "metric": "moon_phase"}],
    }
    (item,) = model.registry.query_metrics(MetricsQuery.from_wire(query))
    answers = {answer.id: answer for answer in item.metrics}
    assert answers["good"].value == DAYS * PER_DAY
    assert "moon_phase" in answers["bad"].error


def test_a_server_answers_the_same(model: Model) -> None:
    asked = [
        *("drift_score", "age", {"by": "daily", "start": "2024-03-01", "end": "2024-03-06"}),
        *("chi_squared", "city", {}),
        *("histogram", "city", {}),
        *("value_count", "vip", {"value": True}),
        *("accuracy", None, {"minimum": 10_000, "by": "weekly"}),
        *("mean", "agee", {}),
    ]
    queries = [
        question(metric, column, **more)
        for metric, column, more in zip(asked[::3], asked[1::3], asked[2::3], strict=True)
    ]
    expected = {field.name for field in fields(QueryResult)} - {"shortage"}
    with serving(model.url) as served:
        token = token_for(model.url, "prod")
        with AporiaClient(served.url, token, environment="prod") as client:
            given = [model.registry.query_metrics(query) for query in queries]
            assert [client.query_metrics(query) for query in queries] == given
            with pytest.raises(NotFoundError):
                client.query_metrics(queries[0].model_copy(update={"model_id": "n"}))
        wrong = served.ask("POST", "/v1beta/metrics/query", token, json={"model_id": "m", "metrics": []})
        document = served.ask("GET", "/openapi.json").json()["components"]["schemas"]["QueryResult"]
    assert wrong.status_code == 422
    answers = [answer.to_json() for items in given for item in items for answer in item.metrics]
    assert {frozenset(answer) for answer in answers} == {frozenset(expected)}
    # Each field has something else than its default in one of them, except those that are always the same.
    told = {name for answer in answers for name, value in answer.items() if value not in (None, 0)}
    assert expected - told <= {"segment", "bound", "left_out"}
    assert set(document["properties"]) == set(document["required"]) == expected


def test_the_command_prints_a_table_or_json(model: Model) -> None:
    place = ("--database-url", model.url, "--environment", "prod")
    shown = run_cli("metrics", "m", "count", "drift_score", "--column", "age", "--by", "day", *place)
    assert shown.returncode == 0, shown.stderr
    lines = shown.stdout.splitlines()
    assert len(lines) == 2 + 2 * DAYS
    assert lines[0].split() == [
        *("from", "to", "metric", "column", "value", "noise", "excess", "samples", "baseline"),
    ]
    assert f"{model.ask('drift_score', 'age', by='daily')[0]['value']:.6g}" in lines[3]
    told = run_cli(
        "metrics", "m", "auc_roc", "--json", "--start", "2024-03-01", "--end", "2024-03-02", *place
    )
    assert flat(json.loads(told.stdout)) == [
        {**answer, "id": "auc_roc"} for answer in model.ask("auc_roc", start="2024-03-01", end="2024-03-02")
    ]
    wrong = run_cli("metrics", "nobody", "count", *place)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "nobody" in wrong.stderr


def test_the_command_fails_if_nothing_could_be_answered(model: Model) -> None:
    place = ("--database-url", model.url, "--environment", "prod")
    failed = run_cli("metrics", "m", "accuracy", "moon_phase", "--column", "scor", *place)
    assert (failed.returncode, failed.stdout) == (1, "")
    accuracy, moon = failed.stderr.splitlines()
    assert accuracy.startswith("aporia-provider: accuracy scor: ")
    assert "'score'" in accuracy
    assert moon.startswith("aporia-provider: moon_phase scor: ")
    told = run_cli("metrics", "m", "moon_phase", "--json", *place)
    assert told.returncode == 1
    assert "moon_phase" in flat(json.loads(told.stdout))[0]["error"]
    mixed = run_cli("metrics", "m", "count", "moon_phase", *place)
    assert (mixed.returncode, mixed.stderr) == (0, "Latest version: v1\n")
    assert "moon_phase" in mixed.stdout
    nothing = run_cli(
        "metrics", "m", "count", "--by", "day", "--start", "1999-01-01", "--end", "1999-01-02", *place
    )
    assert (nothing.returncode, nothing.stderr) == (0, "Latest version: v1\n")


@pytest.mark.slow
def test_the_command_takes_what_a_query_takes(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[MetricsQuery] = []
    monkeypatch.setattr(EmbeddedRegistry, "query_metrics", lambda _, query: asked.append(query) or [])
    options = (
        *("--threshold", "0.25", "--k", "3", "--class-name", "a", "--average", "macro", "--gain", "linear"),
        *("--quantile", "0.9", "--value", "b", "--zeros", "laplace"),
        *("--minimum", "50", "--minimum-baseline", "500", "--column", "age"),
        *("--baseline-period", "2w", "--baseline-skip", "1d"),
    )
    place = ("--database-url", sqlite_url, "--environment", "prod")
    assert main(["metrics", "m", "psi", "--version", "v1", *options, *place]) == 0
    window = {"dataset_type": "serving", "time_period": "2w", "skip_period": "1d"}
    (metric,) = question(
        *("psi", "age"),
        baseline=window,
        **{"threshold": 0.25, "k": 3, "class_name": "a", "average": "macro", "gain": "linear"},
        **{"quantile": 0.9, "value": "b", "zeros": "laplace", "minimum": 50, "minimum_baseline": 500},
    ).metrics
    assert asked[0].metrics == [metric.model_copy(update={"id": "psi age"})]
    assert main(["metrics", "m", "count", "--baseline-skip", "1d", *place]) == 2
    assert len(asked) == 1


def test_a_table_shows_what_an_answer_says() -> None:
    reason = " ".join(["of a reason"] * 9)
    few = MetricResult(None, "insufficient_data", 60, shown=0.25, left_out=3, reason=reason)
    answers = {
        1: MetricResult(0.5, "ok", 200, 1000, noise=0.125, excess=0.375, bound=0.01, p_value=0.02),
        2: few,
        3: MetricResult({str(n): n for n in range(100)}, samples=9),
    }
    days = {day: f"2024-01-0{day}T00:00:00+00:00" for day in range(1, 5)}
    items = [
        RangeResults(
            ResultRange(days[day], days[day + 1]), [QueryResult.of(answer, id="0", model_version="v1")]
        )
        for day, answer in answers.items()
    ]
    header, _, *lines = as_table(question("psi", "age"), items).splitlines()
    columns = ("from", "to", "metric", "column", "value", "noise", "excess", "±", "p", "samples", "baseline")
    assert header.split() == [*columns, "left", "out", "note"]
    assert len(lines) == 3
    assert lines[0].split()[6:] == ["0.5", "0.125", "0.375", "0.01", "0.02", "200", "1000"]
    assert lines[1].split()[6:9] == ["(0.25)", "60", "3"]
    assert lines[1].endswith(f"insufficient data: {few.reason}")
    assert "…" in lines[2]
    for width in (40, 120, 220):
        wrapped = as_table(question("psi", "age"), items[:2], width).splitlines()
        note = wrapped[0].index("note")
        assert max(map(len, wrapped)) <= max(width, note + 30)
        assert " ".join(line[note:].strip() for line in wrapped[3:]) == f"insufficient data: {few.reason}"
    assert as_table(question("psi", "age"), [], 80) == ""
