"""The metrics of a field, by its type, from which the columns of the tables are made."""

from __future__ import annotations

from aporia_provider.metric_tables.batched_queries import Key, Question
from aporia_provider.schema import CATEGORIES, VersionSchema

QUANTILES = tuple(place / 10 for place in range(11))
"""Probabilities of the quantiles."""

_NUMBERS = {
    "avg": Question("mean"),
    "min": Question("min"),
    "max": Question("max"),
    # std divides by n, Spark by n - 1, as variance does.
    "variance": Question("variance"),
    "median": Question("median"),
    "num_zeros": Question("zero_count"),
    "num_nan": Question("nan_count"),
    **{f"quantile {place}": Question("quantile", {"quantile": place}) for place in QUANTILES},
}
_TIMES = {name: Question(name) for name in ("min", "max", "median")}
_LENGTHS = {
    "min_length": Question("min_length"),
    "max_length": Question("max_length"),
    "avg_length": Question("mean_length"),
}
_CATEGORIES = {"distinct_count": Question("unique_values"), "frequent_items": Question("histogram")}
_STATISTICS = {
    "numeric": _NUMBERS,
    "datetime": _TIMES,
    "text": _LENGTHS,
    "categorical": _CATEGORIES | _LENGTHS,
    "string": _CATEGORIES | _LENGTHS,
    **dict.fromkeys(("boolean", "array", "dict"), _CATEGORIES),
}
_BINNED = {
    "js_distance": Question("js_distance"),
    "population_stability_index": Question("psi"),
    "tv_distance": Question("total_variation"),
    "l_infinity_distance": Question("linf_distance"),
}
_DISTRIBUTIONS = {
    **_BINNED,
    "ks_test": Question("ks_distance"),
    "wasserstein_distance": Question("wasserstein_distance"),
}
_COUNTED = {**_BINNED, "chi_squared_test": Question("chi_squared")}
_DISTANCES = {
    **dict.fromkeys(("numeric", "datetime", "text"), _DISTRIBUTIONS),
    **dict.fromkeys(("categorical", "string", "boolean", "array", "dict"), _COUNTED),
}
_CLASSES = {"accuracy_score": "accuracy"}
_AVERAGES = {"precision": "precision", "recall": "recall", "f1_score": "f1"}
_ERRORS = {
    "mean_squared_error": "mse",
    "root_mean_squared_error": "rmse",
    # The reference has this name, queries of such tables the other one.
    "mean_average_error": "mae",
    "mean_absolute_error": "mae",
    "mean_absolute_percentage_error": "mape",
    "r2_score": "r2",
}


def field_types(schema: VersionSchema) -> dict[str, str]:
    """
    Return the type of each field of a version by its name.

    A name that fields of two categories share is preceded by the category, as in ``features.age``.
    """
    named = [
        (category, name, field.type)
        for category in CATEGORIES
        for name, field in schema.fields(category).items()
    ]
    names = [name for _, name, _ in named]
    return {
        name if names.count(name) == 1 else f"{category}.{name}": type_ for category, name, type_ in named
    }


def statistics(fields: dict[str, str]) -> dict[Key, Question]:
    """Return the statistics of fields, and the number of rows of the table."""
    questions: dict[Key, Question] = {(None, "count"): Question("count")}
    for column, type_ in fields.items():
        questions[column, "rows"] = Question("count")
        questions[column, "missing"] = Question("missing_count")
        questions |= {(column, name): metric for name, metric in _STATISTICS.get(type_, {}).items()}
    return questions


def distances(fields: dict[str, str]) -> dict[Key, Question]:
    """Return the distances of fields to a baseline."""
    return {
        (column, name): metric
        for column, type_ in fields.items()
        for name, metric in _DISTANCES.get(type_, {}).items()
    }


def performance(model_type: str) -> dict[Key, Question]:
    """Return the metrics of the performance of a model."""
    if model_type == "regression":
        return {(None, name): Question(metric) for name, metric in _ERRORS.items()}
    if model_type not in ("binary", "multiclass"):
        return {}
    questions: dict[Key, Question] = {(None, name): Question(metric) for name, metric in _CLASSES.items()}
    for name, metric in _AVERAGES.items():
        if model_type == "binary":
            questions[None, f"{name} positive"] = Question(metric)
        else:
            for average in ("macro", "weighted"):
                questions[None, f"{name} {average}"] = Question(metric, {"average": average})
    return questions
