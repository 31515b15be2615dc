"""What can be told to be wrong with a dataset before its data is looked at."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches

from aporia_provider.backend.paths import local_path_faults
from aporia_provider.datasets import MAPPINGS, DatasetConnection
from aporia_provider.schema import VersionSchema


def nearest(name: str, names: Collection[str]) -> str:
    """A hint to the name that was probably meant, or to those there are."""
    close = get_close_matches(name, names, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]!r}?"
    shown = ", ".join(repr(known) for known in list(names)[:10])
    return f"there are {shown}" if shown else "there are none"


def connection_faults(
    connection: DatasetConnection, schema: VersionSchema, allowed_local_folders: Sequence[str] | None
) -> Iterator[str]:
    """One line for everything that is wrong with a dataset."""
    from aporia_provider.expressions import check_select_expr

    yield from mapping_faults(connection, schema)
    yield from check_select_expr(connection.data_source.select_expr or [])
    yield from local_path_faults(connection.data_source, allowed_local_folders)


def mapping_faults(connection: DatasetConnection, schema: VersionSchema) -> Iterator[str]:
    """One line for every name a mapping has that the schema does not."""
    for mapping in MAPPINGS:
        category = "predictions" if mapping == "labels" else mapping
        mapped = getattr(connection, mapping) or {}
        yield from _faults(mapping, category, mapped, schema.fields(category))


def _faults(mapping: str, category: str, mapped: Mapping[str, str], names: Collection[str]) -> Iterator[str]:
    unknown = {name: column for name, column in mapped.items() if name not in names}
    if unknown and all(column in names for column in unknown.values()):
        name, column = next(iter(unknown.items()))
        yield (
            f"{mapping} looks reversed: it maps a name of the schema to a column, "
            f"so write {column!r}: {name!r}, not {name!r}: {column!r}"
        )
        return
    for name in unknown:
        yield f"{mapping}: {name!r} is not among the {category} of the version; {nearest(name, names)}"
