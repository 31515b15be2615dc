"""Columns of the tables of profile metrics and of drift metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

PROFILE_SUFFIX = "_profile_metrics"
DRIFT_SUFFIX = "_drift_metrics"
TABLE = ":table"
"""Value of ``column_name`` of the rows that refer to the table as a whole."""

AVERAGED = ("precision", "recall", "f1_score")
"""Metrics of performance that are structs of a number for each class, and their averages."""

_DATA_TYPES = {
    "numeric": "double",
    "datetime": "timestamp",
    "boolean": "boolean",
    "vector": "array<double>",
    "tensor": "array<double>",
    "array": "array<string>",
    "dict": "map<string,string>",
}
_PROFILE_NUMBERS = (
    *("avg", "min", "max", "stddev", "median", "min_length", "max_length", "avg_length"),
    *("percent_null", "percent_nan", "percent_zeros", "percent_distinct", "accuracy_score"),
    *("mean_squared_error", "root_mean_squared_error", "mean_average_error", "mean_absolute_error"),
    *("mean_absolute_percentage_error", "r2_score"),
)
_PROFILE_COUNTS = ("count", "num_nulls", "num_zeros", "num_nan", "distinct_count")
_DRIFT_NUMBERS = (
    *("avg_delta", "percent_null_delta", "percent_zeros_delta", "percent_distinct_delta", "js_distance"),
    *("wasserstein_distance", "population_stability_index", "tv_distance", "l_infinity_distance"),
)


def data_type(field_type: str) -> str:
    """Return the type of the values of a field, in the words of Spark."""
    return _DATA_TYPES.get(field_type, "string")


def profile_schema() -> pa.Schema:
    """Return the columns of the table of profile metrics."""
    import pyarrow as pa

    text, number, count = pa.string(), pa.float64(), pa.int64()
    average = pa.struct([("one_vs_all", pa.map_(text, number)), ("macro", number), ("weighted", number)])
    return pa.schema(
        [
            ("window", _window()),
            ("log_type", text),
            ("logging_table_commit_version", pa.int32()),
            *_subject(),
            *((name, count) for name in _PROFILE_COUNTS),
            *((name, number) for name in _PROFILE_NUMBERS),
            ("quantiles", pa.list_(number)),
            ("frequent_items", pa.list_(pa.struct([("item", text), ("count", count)]))),
            ("non_null_columns", pa.list_(text)),
            *((name, average) for name in AVERAGED),
        ]
    )


def drift_schema() -> pa.Schema:
    """Return the columns of the table of drift metrics."""
    import pyarrow as pa

    test = pa.struct([("statistic", pa.float64()), ("pvalue", pa.float64())])
    return pa.schema(
        [
            ("window", _window()),
            ("window_cmp", _window()),
            ("drift_type", pa.string()),
            *_subject(),
            ("count_delta", pa.int64()),
            *((name, pa.float64()) for name in _DRIFT_NUMBERS),
            ("ks_test", test),
            ("chi_squared_test", test),
            ("non_null_columns_delta", pa.struct([("added", pa.int32()), ("missing", pa.int32())])),
        ]
    )


def _window() -> pa.DataType:
    import pyarrow as pa

    moment = pa.timestamp("us", "UTC")
    return pa.struct([("start", moment), ("end", moment)])


def _subject() -> list[tuple[str, pa.DataType]]:
    import pyarrow as pa

    names = ("granularity", "environment", "model_id", "model_version", "slice_key", "slice_value")
    return [(name, pa.string()) for name in (*names, "column_name", "data_type")]
