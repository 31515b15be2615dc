"""
Print the public names of the official SDK as JSON: ``sdk_surface.py``, in the SDK's own environment.

``signatures`` has the parameters of functions, classes and methods, each as name, kind and default;
``words`` has the members of enumerations.
"""

from __future__ import annotations

import enum
import inspect
import json
import sys
from typing import Any

import aporia
from aporia import experimental, pandas
from aporia.core.types import data_source, field

PUBLIC = {
    "": (aporia, [name for name in aporia.__all__ if name != "S3FileFormat"]),
    "experimental.": (experimental, experimental.__all__),
    "pandas.": (pandas, ["infer_schema_from_dataframe", "pandas_to_dict"]),
    "core.types.data_source.": (data_source, ["S3FileFormat", "DataSourceType"]),
    "core.types.field.": (field, ["FieldType"]),
}


def parameters(call: Any) -> list[list[str | None]]:
    found = inspect.signature(call).parameters.values()
    empty = inspect.Parameter.empty
    return [
        [each.name, each.kind.name, None if each.default is empty else repr(each.default)] for each in found
    ]


def surface() -> dict[str, Any]:
    signatures: dict[str, Any] = {}
    words: dict[str, Any] = {}
    for place, (module, names) in PUBLIC.items():
        for name in names:
            found = getattr(module, name)
            if isinstance(found, enum.EnumMeta):
                words[place + name] = {member.name: member.value for member in found}
            else:
                signatures[place + name] = parameters(found)
    for name, found in inspect.getmembers(aporia.Model, callable):
        # The context in which the SDK swallows errors is none of its calls.
        if not name.startswith("_") and name != "handle_error":
            signatures[f"Model.{name}"] = parameters(found)
    return {"signatures": signatures, "words": words}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(surface()))
