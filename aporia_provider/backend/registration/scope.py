"""What a registry works on: one environment of a database."""

from __future__ import annotations

from collections.abc import Sequence

from aporia_provider.backend.store.database import Database
from aporia_provider.backend.store.json_columns import check_names


class Scope:
    """
    One environment of a database.

    :param database: The database; whoever opened it closes it.
    :param environment: The only environment that is read and written.
    :param allowed_local_folders: Folders in which data sources on the local disk may lie; None accepts any,
        which is right where the data is read by the one who connects it.
    :raises aporia_provider.errors.ValidationError: if the environment cannot be a name.
    """

    def __init__(
        self, database: Database, environment: str, allowed_local_folders: Sequence[str] | None = None
    ) -> None:
        check_names(environment=environment)
        self.database = database
        self._environment = environment
        self.allowed_local_folders = None if allowed_local_folders is None else tuple(allowed_local_folders)

    @property
    def environment(self) -> str:
        """The environment that all calls read and write."""
        return self._environment
