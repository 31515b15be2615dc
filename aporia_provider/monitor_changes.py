"""Changes of the monitors of a model, in Python and in the JSON of the server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from pydantic import Field

from aporia_provider.base_model import Name, PublicModel, Title, parse_list
from aporia_provider.errors import ValidationError
from aporia_provider.models import Monitor
from aporia_provider.monitor_configuration import parse_configuration

ChangeAction = Literal["created", "updated", "deleted", "unchanged"]
CHANGE_ACTIONS: tuple[ChangeAction, ...] = get_args(ChangeAction)


@dataclass(frozen=True, kw_only=True)
class MonitorChange:
    """
    What applying monitors did, or would do, to one monitor.

    :param name: Name of the monitor.
    :param action: ``created``, ``updated``, ``deleted`` or ``unchanged``.
    :param id: Id of the monitor; None if it would be created.
    :param differences: One line for each difference of an updated monitor.
    """

    name: str
    action: ChangeAction
    id: str | None = None
    differences: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return asdict(self)


class ApplyRequest(PublicModel):
    """
    A request to apply monitors to a model.

    :param model_id: The model.
    :param monitors: The monitors.
    :param delete_others: Whether other monitors of the model are deleted, with their alerts.
    :param delete_prefix: Start of the names of other monitors that are deleted, with their alerts.
    :param dry_run: Whether nothing is changed.
    :raises aporia_provider.errors.ValidationError: if there are problems; all are listed.
    """

    model_id: Name
    monitors: list[Monitor] = Field(default_factory=list, max_length=1000)
    delete_others: bool = False
    delete_prefix: Title | None = None
    dry_run: bool = False

    def check(self) -> None:
        """
        Check the names and the configurations.

        :raises aporia_provider.errors.ValidationError: if there are problems; all are listed.
        """
        names = Counter(monitor.name for monitor in self.monitors)
        problems = [f"{name}: there are {n} monitors of this name" for name, n in names.items() if n > 1]
        for monitor in self.monitors:
            problems += [f"{monitor.name}: {problem}" for problem in self._problems(monitor)]
        if problems:
            raise ValidationError("The monitors are not valid", problems=problems)

    def _problems(self, monitor: Monitor) -> Sequence[str]:
        try:
            configuration = parse_configuration(monitor.type, monitor.configuration)
        except ValidationError as error:
            return error.problems or [error.message]
        model_id = configuration.identification.models.id
        if model_id != self.model_id:
            return [f"identification.models.id is {model_id!r}, not {self.model_id!r}"]
        return []

    def to_wire(self) -> dict[str, Any]:
        """Return the body of the request."""
        return self.model_dump()


def parse_changes(body: Any) -> list[MonitorChange]:
    """
    Parse the JSON form of changes.

    :raises aporia_provider.errors.ValidationError: if it is not a list of changes.
    """
    return parse_list(body, MonitorChange, "changes")


def summary(changes: Iterable[MonitorChange]) -> str:
    """Return the numbers of changes as a text, such as ``2 created, 5 unchanged``."""
    counts = Counter(change.action for change in changes)
    return ", ".join(f"{counts[action]} {action}" for action in CHANGE_ACTIONS if counts[action]) or "none"
