"""Unsupported calls of the platform's SDK that log rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from aporia_provider.errors import AporiaError

_TABLES = {"serving": "predictions", "actuals": "labels", "training": "training set", "testing": "test set"}


def unsupported_call(name: str, role: str) -> Callable[..., NoReturn]:
    """
    Return a function that raises an error that names the supported alternative.

    :param name: Name of the unsupported call.
    :param role: Role of the dataset to connect instead.
    """

    def call(*_: Any, **__: Any) -> NoReturn:
        raise AporiaError(
            f"{name} is not supported: rows are not logged, but read from the table they are written to. "
            f"Write the {_TABLES[role]} to a table, such as a Delta table on S3, and connect it once: "
            f'version.connect_{role}(S3DataSource("bucket/key", "delta"), id_column=…, timestamp_column=…). '
            "Each sync then reads what was added"
        )

    call.__name__ = name
    call.__doc__ = f"Not supported: write the rows to a table, and connect it with ``connect_{role}``."
    return call


class RowLogging:
    """Unsupported methods that log rows. Each raises an error that names the supported alternative."""

    log_prediction = unsupported_call("log_prediction", "serving")
    log_batch_prediction = unsupported_call("log_batch_prediction", "serving")
    log_raw_inputs = unsupported_call("log_raw_inputs", "serving")
    log_batch_raw_inputs = unsupported_call("log_batch_raw_inputs", "serving")
    log_json = unsupported_call("log_json", "serving")
    log_batch_pyspark_prediction = unsupported_call("log_batch_pyspark_prediction", "serving")
    log_streaming_pyspark_prediction = unsupported_call("log_streaming_pyspark_prediction", "serving")
    log_batch_pyspark_raw_inputs = unsupported_call("log_batch_pyspark_raw_inputs", "serving")
    log_actuals = unsupported_call("log_actuals", "actuals")
    log_batch_actuals = unsupported_call("log_batch_actuals", "actuals")
    log_batch_pyspark_actuals = unsupported_call("log_batch_pyspark_actuals", "actuals")
    log_training_set = unsupported_call("log_training_set", "training")
    log_training_sample = unsupported_call("log_training_sample", "training")
    log_pyspark_training_set = unsupported_call("log_pyspark_training_set", "training")
    log_test_set = unsupported_call("log_test_set", "testing")
    log_pyspark_test_set = unsupported_call("log_pyspark_test_set", "testing")
