"""Base class of the registry: one environment of a database."""

from __future__ import annotations

from collections.abc import Sequence

from aporia_provider.backend.store.database import Database
from aporia_provider.backend.store.json_columns import check_names


class RegistryBase:
    """
    One environment of a database.

    :param database: The database. The caller closes it.
    :param environment: The only environment that is read and written.
    :param allowed_local_folders: Folders from which local data sources may be read. None allows all folders,
        which is appropriate if the data is read with the permissions of the user who connects it.
    :raises aporia_provider.errors.ValidationError: if the environment is not a valid name.
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
        """Return the environment that all calls read and write."""
        return self._environment
