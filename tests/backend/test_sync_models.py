"""Models of every type, from their tables to answers: those of scikit-learn and numpy on the joined rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn import metrics as oracle

from aporia_provider.backend.embedded import EmbeddedRegistry
from aporia_provider.errors import ValidationError
from aporia_provider.metrics import MetricsQuery
from aporia_provider.schema import VersionSchema
from tests.backend.conftest import copied
from tests.backend.syncing import MODEL, SyncedVersion, times

pytestmark = pytest.mark.process

ROWS, LABELLED = 600, 450
EXACT = dict.fromkeys(("rel", "abs"), 1e-9)
CLASSES = ["bird", "cat", "dog", "eel"]


@pytest.fixture
def monitored(tmp_path: Path, migrated: Path, engine: str) -> Iterator[SyncedVersion]:
    with EmbeddedRegistry(copied(migrated, tmp_path), "prod") as registry:
        yield SyncedVersion(tmp_path, registry, engine)


def schema(model_type: str, predictions: Mapping[str, Any], **more: Any) -> VersionSchema:
    return VersionSchema(
        model_type=model_type, features={"age": "numeric"}, predictions=dict(predictions), **more
    )


def served(**columns: Any) -> pa.Table:
    """Predictions, spread over two days."""
    count = len(next(iter(columns.values())))
    base = {
        "id": [f"row {number}" for number in range(count)],
        "at": times([1 + 2 * number / count for number in range(count)]),
        "age": np.arange(count) % 7 / 2,
    }
    return pa.table({**base, **columns})


def known(labels: Any, count: int = LABELLED) -> pa.Table:
    """The labels of the first rows, in another order."""
    table = pa.table({"id": [f"row {number}" for number in range(count)], "true": labels[:count]})
    table = table.append_column("known", times([4.0] * count))
    return table.take(np.random.default_rng(2).permutation(count))


def late(monitored: SyncedVersion, made: VersionSchema, predictions: pa.Table, labels: pa.Table) -> None:
    """Sync predictions, and then their labels."""
    monitored.register(made)
    monitored.write("serving", predictions)
    monitored.write("actuals", labels)
    monitored.connect("serving")
    monitored.connect("actuals", labels=dict.fromkeys(made.predictions, "true"))
    monitored.sync("serving")
    monitored.sync("actuals")
    monitored.check()


def together(monitored: SyncedVersion, made: VersionSchema, predictions: pa.Table, labels: Any) -> None:
    """Sync predictions whose labels are in the same table."""
    monitored.register(made)
    monitored.write("serving", predictions.append_column("true", labels))
    monitored.connect("serving", labels=dict.fromkeys(made.predictions, "true"))
    monitored.sync("serving")
    monitored.check()


def ask(monitored: SyncedVersion, metric: str, **parameters: Any) -> dict[str, Any]:
    asked = {"metric": metric, "parameters": parameters, "datasets": {"data": {"dataset_type": "serving"}}}
    (item,) = monitored.registry.query_metrics(
        MetricsQuery.from_wire({"model_id": MODEL, "metrics": [asked]})
    )
    answer: dict[str, Any] = item.metrics[0].to_json()
    assert answer["error"] is None
    return answer


def value(monitored: SyncedVersion, metric: str, **parameters: Any) -> Any:
    answer = ask(monitored, metric, **parameters)
    assert answer["status"] == "ok", answer
    return answer["value"]


class TestMulticlass:
    made = schema("multiclass", {"kind": "string", "scores": "dict", "places": "vector"}, labels=CLASSES)

    def columns(self) -> tuple[pa.Table, np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        random = np.random.default_rng(3)
        labels = random.choice(CLASSES, ROWS, p=[0.5, 0.3, 0.15, 0.05])
        scores = random.random((ROWS, len(CLASSES))) + (np.array(CLASSES) == labels[:, None]) * 0.6
        predicted = np.array(CLASSES)[scores.argmax(axis=1)]
        by_name = [list(zip(CLASSES, row, strict=True)) for row in scores.tolist()]
        table = served(
            kind=predicted,
            scores=pa.array(by_name, pa.map_(pa.string(), pa.float64())),
            places=pa.array(scores.tolist()),
        )
        return table, predicted, labels

    def check(self, monitored: SyncedVersion, predicted: Any, labels: Any) -> None:
        for column in self.made.predictions:
            assert value(monitored, "accuracy", column=column) == pytest.approx(
                oracle.accuracy_score(labels, predicted), **EXACT
            )
            for average in ("macro", "micro", "weighted"):
                expected = oracle.f1_score(labels, predicted, average=average)
                assert value(monitored, "f1", column=column, average=average) == pytest.approx(
                    expected, **EXACT
                )
            for name in CLASSES:
                found = value(monitored, "recall_per_class", column=column, class_name=name)
                expected = oracle.recall_score(labels, predicted, labels=[name], average=None)[0]
                assert found == pytest.approx(expected, **EXACT)
            assert value(monitored, "label_coverage", column=column) == len(labels) / ROWS

    def test_late_labels(self, monitored: SyncedVersion) -> None:
        table, predicted, labels = self.columns()
        late(monitored, self.made, table, known(labels))
        self.check(monitored, predicted[:LABELLED], labels[:LABELLED])

    def test_labels_in_the_same_table(self, monitored: SyncedVersion) -> None:
        table, predicted, labels = self.columns()
        together(monitored, self.made, table, pa.array(labels))
        self.check(monitored, predicted, labels)
        scores = np.array(table["places"].to_pylist())
        areas = [oracle.roc_auc_score(labels == name, scores[:, place]) for place, name in enumerate(CLASSES)]
        for column in ("scores", "places"):
            answer = ask(monitored, "auc_roc", column=column)
            assert abs(answer["value"] - np.mean(areas)) <= answer["bound"] < 0.02
            found = ask(monitored, "auc_roc", column=column, class_name="cat")
            assert abs(found["value"] - areas[1]) <= found["bound"] < 0.02
        assert (
            ask(monitored, "auc_roc", column="kind")["reason"] == "the predictions are classes without scores"
        )
        assert value(monitored, "confusion_matrix", column="kind") == {
            "labels": CLASSES,
            "matrix": oracle.confusion_matrix(labels, predicted).tolist(),
        }
        expected = oracle.balanced_accuracy_score(labels, predicted)
        assert value(monitored, "balanced_accuracy", column="places") == pytest.approx(expected, **EXACT)

    def test_names_beside_no_names(self, monitored: SyncedVersion) -> None:
        """Vectors whose places have no names gave accuracy 0.0, ok."""
        table, _, labels = self.columns()
        made = schema("multiclass", {"places": "vector"})
        together(monitored, made, table.select(["id", "at", "age", "places"]), pa.array(labels))
        answer = ask(monitored, "accuracy")
        assert (answer["value"], answer["status"], answer["shown"]) == (None, "insufficient_data", 0.0)
        assert answer["reason"].startswith(
            "no class of the predictions ('0', '1', '2', …) is a class of the labels "
            "('bird', 'cat', 'dog', …)"
        )

    def test_too_many_classes_stop_nothing_else(self, monitored: SyncedVersion) -> None:
        codes = pa.array(np.arange(1200) % 1100)
        made = schema("multiclass", {"kind": "categorical"})
        together(monitored, made, served(kind=codes), codes)
        answer = ask(monitored, "accuracy")
        assert (answer["value"], answer["status"]) == (None, "undefined")
        assert answer["reason"] == "there are more than 1000 classes, too many to compare them"
        assert (value(monitored, "actuals_count"), value(monitored, "label_coverage")) == (1200, 1)
        assert value(monitored, "mean", column="age") == pytest.approx(
            (np.arange(1200) % 7 / 2).mean(), **EXACT
        )
        assert value(monitored, "value_count", column="kind", value="7") == 2


class TestMultiLabel:
    def columns(self) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        random = np.random.default_rng(4)
        truth = random.random((ROWS, len(CLASSES))) < [0.6, 0.4, 0.3, 0.2]
        return np.round(np.clip(random.normal(0.3, 0.2, truth.shape) + 0.35 * truth, 0, 1), 3), truth

    @staticmethod
    def named(values: np.ndarray[Any, Any], type_: pa.DataType) -> pa.Array:
        rows = [list(zip(CLASSES, row, strict=True)) for row in values.tolist()]
        return pa.array(rows, pa.map_(pa.string(), type_))

    @staticmethod
    def listed(chosen: np.ndarray[Any, Any]) -> pa.Array:
        return pa.array([[name for name, yes in zip(CLASSES, row, strict=True) if yes] for row in chosen])

    def shapes(self, truth: np.ndarray[Any, Any]) -> dict[str, pa.Array]:
        words = np.where(truth, "yes", "no")
        structs = [dict(zip(CLASSES, row, strict=True)) for row in truth.tolist()]
        return {
            "array": self.listed(truth),
            "map": self.named(truth, pa.bool_()),
            "map of words": self.named(words, pa.string()),
            "struct": pa.array(structs),
        }

    def check(self, monitored: SyncedVersion, predicted: Any, truth: Any) -> None:
        for name, score in {"f1": oracle.f1_score, "precision": oracle.precision_score}.items():
            for average in ("macro", "micro"):
                found = value(monitored, name, average=average)
                assert found == pytest.approx(score(truth, predicted, average=average), **EXACT)
        assert value(monitored, "hamming") == pytest.approx(oracle.hamming_loss(truth, predicted), **EXACT)
        assert value(monitored, "accuracy") == pytest.approx(oracle.accuracy_score(truth, predicted), **EXACT)

    @pytest.mark.parametrize(
        ("prediction", "shape"),
        [("dict", "array"), ("dict", "map"), ("dict", "struct"), ("array", "map"), ("array", "array")],
    )
    def test_late_labels(self, monitored: SyncedVersion, prediction: str, shape: str) -> None:
        scores, truth = self.columns()
        predicted = scores >= 0.5
        column = self.named(scores, pa.float64()) if prediction == "dict" else self.listed(predicted)
        labels = known(self.shapes(truth)[shape])
        late(monitored, schema("multi-label", {"tags": prediction}), served(tags=column), labels)
        self.check(monitored, predicted[:LABELLED], truth[:LABELLED])

    @pytest.mark.parametrize("shape", ["array", "map", "map of words", "struct"])
    def test_labels_in_the_same_table(self, monitored: SyncedVersion, shape: str) -> None:
        scores, truth = self.columns()
        made = schema("multi-label", {"tags": "dict"})
        together(monitored, made, served(tags=self.named(scores, pa.float64())), self.shapes(truth)[shape])
        self.check(monitored, scores >= 0.5, truth)
        assert value(monitored, "mean", column="tags[cat]") == pytest.approx(scores[:, 1].mean(), **EXACT)
        assert ("labels.tags" in {place[2] for place in monitored.stored()}) == (shape != "map of words")

    def test_other_labels_are_refused(self, monitored: SyncedVersion) -> None:
        scores, _ = self.columns()
        made = schema("multi-label", {"tags": "dict"})
        with pytest.raises(
            ValidationError, match="has to be an array of the true labels, or a map or struct"
        ):
            together(monitored, made, served(tags=self.named(scores, pa.float64())), pa.array(scores[:, 0]))


class TestRegression:
    made = schema("regression", {"price": "numeric"})

    def columns(self) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        labels = np.random.default_rng(5).lognormal(3, 1, ROWS)
        return labels * np.random.default_rng(6).normal(1.05, 0.2, ROWS), labels

    def check(self, monitored: SyncedVersion, predicted: Any, labels: Any) -> None:
        expected = {
            "mse": oracle.mean_squared_error(labels, predicted),
            "rmse": oracle.root_mean_squared_error(labels, predicted),
            "mae": oracle.mean_absolute_error(labels, predicted),
            "mape": oracle.mean_absolute_percentage_error(labels, predicted),
            "r2": oracle.r2_score(labels, predicted),
            "mean_error": np.mean(predicted - labels),
            "wape": np.abs(predicted - labels).sum() / np.abs(labels).sum(),
        }
        assert {name: value(monitored, name) for name in expected} == pytest.approx(expected, **EXACT)

    def test_late_labels(self, monitored: SyncedVersion) -> None:
        predicted, labels = self.columns()
        late(monitored, self.made, served(price=predicted), known(pa.array(labels)))
        self.check(monitored, predicted[:LABELLED], labels[:LABELLED])

    def test_labels_in_the_same_table_beside_those_of_what_is_not_judged(
        self, monitored: SyncedVersion
    ) -> None:
        predicted, labels = self.columns()
        monitored.register(schema("regression", {"price": "numeric", "band": "string"}))
        bands = pa.array(np.where(labels > 20, "high", "low"))
        columns = served(price=predicted, band=bands).append_column("true", pa.array(labels))
        monitored.write("serving", columns.append_column("true band", bands))
        monitored.connect("serving", labels={"price": "true", "band": "true band"})
        monitored.sync("serving")
        monitored.check()
        assert value(monitored, "mse") == pytest.approx(oracle.mean_squared_error(labels, predicted), **EXACT)
        found = value(monitored, "value_count", column="labels.band", value="high")
        assert found == np.count_nonzero(labels > 20)


class TestBinaryClasses:
    def columns(self, negative: Any, positive: Any) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        random = np.random.default_rng(7)
        truth = random.random(ROWS) < 0.3
        predicted = np.where(random.random(ROWS) < 0.85, truth, ~truth)
        return np.where(predicted, positive, negative), np.where(truth, positive, negative)

    def check(self, monitored: SyncedVersion, predicted: Any, labels: Any, positive: Any) -> None:
        assert value(monitored, "recall") == pytest.approx(
            oracle.recall_score(labels, predicted, pos_label=positive), **EXACT
        )
        assert value(monitored, "precision") == pytest.approx(
            oracle.precision_score(labels, predicted, pos_label=positive), **EXACT
        )
        assert value(monitored, "label_coverage") == len(labels) / ROWS

    @pytest.mark.very_slow
    @pytest.mark.parametrize(
        ("type_", "negative", "positive", "declared"),
        [
            ("categorical", "ok", "fraud", ["ok", "fraud"]),
            ("string", "fraud", "ok", ["fraud", "ok"]),
            ("string", "No", "Yes", None),
            ("categorical", "negative", "positive", None),
            # Words of truth mean what they say in any order.
            ("categorical", "no", "yes", ["yes", "no"]),
            ("categorical", 1, 2, ["1", "2"]),
            # Of two numbers the greater is positive.
            ("categorical", 1, 2, None),
            ("categorical", -1, 1, None),
            ("categorical", 0, 1, None),
        ],
    )
    def test_late_labels(
        self, monitored: SyncedVersion, type_: str, negative: Any, positive: Any, declared: list[str] | None
    ) -> None:
        predicted, labels = self.columns(negative, positive)
        made = schema("binary", {"outcome": type_}, labels=declared)
        late(monitored, made, served(outcome=predicted), known(pa.array(labels)))
        self.check(monitored, predicted[:LABELLED], labels[:LABELLED], positive)

    def test_numbers_that_are_no_pair_are_left_out_and_told(self, monitored: SyncedVersion) -> None:
        predicted, _ = self.columns(0, 1)
        labels = np.arange(ROWS) % 3
        made = schema("binary", {"outcome": "categorical"})
        late(monitored, made, served(outcome=predicted), known(pa.array(labels)))
        answer = ask(monitored, "precision")
        assert (answer["status"], answer["value"], answer["left_out"]) == ("insufficient_data", None, 150)
        two = labels[:LABELLED] < 2
        expected = oracle.precision_score(labels[:LABELLED][two], predicted[:LABELLED][two])
        assert answer["shown"] == pytest.approx(expected, **EXACT)
        assert 'such as labels=["1", "2"]' in answer["reason"]

    def test_words_that_python_reads_as_odd_numbers_are_classes(self, monitored: SyncedVersion) -> None:
        words = np.where(np.arange(ROWS) % 3, "sNaN", "-Infinity")
        monitored.register(schema("binary", {"outcome": "categorical"}))
        for role in ("training", "serving"):
            monitored.write(role, served(outcome=words).append_column("true", pa.array(words)))
            monitored.connect(role, labels={"outcome": "true"})
            monitored.sync(role)
        monitored.check()
        assert value(monitored, "value_count", column="labels.outcome", value="sNaN") == ROWS * 2 // 3
        assert ask(monitored, "precision")["status"] == "insufficient_data"

    def test_scores_of_rare_events(self, monitored: SyncedVersion) -> None:
        """Bins of one width had all of these scores in five bins."""
        random = np.random.default_rng(10)
        scores = random.beta(1, 400, ROWS)
        labels = random.random(ROWS) < scores * 30
        made = schema("binary", {"chance": "numeric"})
        monitored.register(made)
        monitored.write("training", served(chance=random.beta(1, 400, 5_000)))
        monitored.connect("training")
        monitored.write("serving", served(chance=scores).append_column("true", pa.array(labels)))
        monitored.connect("serving", labels={"chance": "true"})
        monitored.sync("training")
        monitored.sync("serving")
        monitored.check()
        for metric, exact in (
            ("auc_roc", oracle.roc_auc_score(labels, scores)),
            ("average_precision", oracle.average_precision_score(labels, scores)),
        ):
            answer = ask(monitored, metric)
            assert answer["status"] == "ok"
            assert abs(answer["value"] - exact) <= answer["bound"] < 0.01
        found = value(monitored, "recall", threshold=0.002)
        assert found == pytest.approx(oracle.recall_score(labels, scores >= 0.002), **EXACT)

    def test_predictions_that_are_not_numbers_are_left_out_and_told(self, monitored: SyncedVersion) -> None:
        scores = np.where(np.arange(ROWS) % 2, np.nan, 0.75)
        made = schema("binary", {"chance": "numeric"})
        together(monitored, made, served(chance=scores), pa.array([True] * ROWS))
        answer = ask(monitored, "accuracy")
        assert (answer["status"], answer["shown"], answer["left_out"]) == ("insufficient_data", 1.0, 300)
        assert "300 of 600 rows with a prediction and a label are left out" in answer["reason"]

    def test_labels_in_the_same_table(self, monitored: SyncedVersion) -> None:
        predicted, labels = self.columns("ok", "fraud")
        made = schema("binary", {"outcome": "string"}, labels=["ok", "fraud"])
        together(monitored, made, served(outcome=predicted), pa.array(labels))
        self.check(monitored, predicted, labels, "fraud")

    def test_scores_beside_labels_that_are_classes(self, monitored: SyncedVersion) -> None:
        _, labels = self.columns("ok", "fraud")
        scores = np.random.default_rng(8).integers(0, 9, ROWS) / 8
        made = schema("binary", {"chance": "numeric"}, labels=["ok", "fraud"])
        late(monitored, made, served(chance=scores), known(pa.array(labels)))
        expected = oracle.recall_score(labels[:LABELLED] == "fraud", scores[:LABELLED] >= 0.5)
        assert value(monitored, "recall", threshold=0.5) == pytest.approx(expected, **EXACT)

    @pytest.mark.parametrize("declared", [None, ["ok"], ["ok", "fraud", "other"]])
    def test_without_a_positive_class_the_answers_say_what_is_missing(
        self, monitored: SyncedVersion, declared: list[str] | None
    ) -> None:
        predicted, labels = self.columns("ok", "fraud")
        made = schema("binary", {"outcome": "string"}, labels=declared)
        together(monitored, made, served(outcome=predicted), pa.array(labels))
        reason = (
            "600 rows have a prediction or label that cannot be compared: 600 with a class that is neither "
            "true nor false (declare both classes as labels of the version, the positive one last, "
            'such as labels=["1", "2"])'
        )
        for metric in ("recall", "auc_roc", "logloss"):
            answer = ask(monitored, metric)
            assert (answer["value"], answer["reason"]) == (None, reason)
        coverage = ask(monitored, "label_coverage")
        assert (coverage["value"], coverage["reason"]) == (0, reason)


class TestRanking:
    @pytest.mark.parametrize("declared", ["vector", {"type": "tensor", "dimensions": [5]}])
    @pytest.mark.parametrize("same_table", [False, True])
    def test_scores_beside_relevances_that_are_true_or_not(
        self, monitored: SyncedVersion, declared: Any, same_table: bool
    ) -> None:
        random = np.random.default_rng(9)
        scores, relevant = random.random((ROWS, 5)), random.random((ROWS, 5)) < 0.4
        table, labels = served(ranks=pa.array(scores.tolist())), pa.array(relevant.tolist())
        made = schema("ranking", {"ranks": declared})
        if same_table:
            together(monitored, made, table, labels)
        else:
            late(monitored, made, table, known(labels, ROWS))
        expected = oracle.ndcg_score(relevant.astype(float), scores, k=3)
        assert value(monitored, "ndcg_at_k", k=3) == pytest.approx(expected, **EXACT)

    def test_queries_with_candidates_that_have_no_label_yet(self, monitored: SyncedVersion) -> None:
        """Three candidates for each of 200 queries; none of the last hundred has all of its labels."""
        made = schema(
            "ranking",
            {"relevance": "numeric"},
            raw_inputs={"search": "string"},
            mapping={"batch_id_column_name": "search"},
        )
        scores = np.random.default_rng(1).random(ROWS)
        search = [f"query {number // 3}" for number in range(ROWS)]
        predictions = served(relevance=scores, search=search).set_column(1, "at", times([1.5] * ROWS))
        labels = known(pa.array(np.arange(ROWS) % 3), ROWS)
        numbers = np.array([int(name.removeprefix("row ")) for name in labels["id"].to_pylist()])
        late(monitored, made, predictions, labels.filter(pa.array(numbers < 300)))
        answer = ask(monitored, "ndcg_at_k", k=3, gain="linear")
        relevances = (np.arange(300) % 3).reshape(100, 3)
        expected = oracle.ndcg_score(relevances, scores[:300].reshape(100, 3), k=3)
        assert answer["value"] == pytest.approx(expected, **EXACT)
        coverage = ask(monitored, "label_coverage")
        assert (coverage["value"], coverage["reason"]) == (0.5, None)
        # The first candidate of each of the other queries gets its label.
        monitored.write("actuals", labels.filter(pa.array((numbers >= 300) & (numbers % 3 == 0))))
        monitored.sync("actuals")
        monitored.check()
        coverage = ask(monitored, "label_coverage")
        assert (coverage["value"], coverage["reason"]) == (
            0.5,
            "100 queries have a prediction or label that cannot be compared: "
            "100 with candidates that have no label",
        )
