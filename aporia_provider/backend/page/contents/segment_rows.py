"""The segment whose rows a view shows."""

from __future__ import annotations

from dataclasses import dataclass

from aporia_provider.backend.metrics.model_states import ModelStates
from aporia_provider.backend.metrics.states_term import StatesTerm
from aporia_provider.backend.metrics.stored_states import VersionStates
from aporia_provider.backend.page.contents.page_parts import Missing
from aporia_provider.datasets import SERVING
from aporia_provider.segment_values import SegmentValue


@dataclass(frozen=True)
class SegmentRows:
    """
    The rows of a value of a segment.

    :param value: The segment and the value.
    :param condition: The condition that the rows meet.
    :param term: The term of the segment.
    """

    value: SegmentValue
    condition: str
    term: StatesTerm

    @classmethod
    def of(cls, model: ModelStates, value: SegmentValue | None) -> SegmentRows | None:
        """
        Return the rows of a value of a segment; None for all rows.

        :raises aporia_provider.errors.NotFoundError: if there is no such segment.
        :raises aporia_provider.errors.ValidationError: if the segment has no such value.
        """
        term = model.term(value)
        if term is None:
            return None
        label, condition = term.segment.terms[term.place]
        return cls(SegmentValue(id=term.segment.name, value=label), condition, term)

    @property
    def described(self) -> str:
        """The value and the segment, for headings."""
        return f"{self.value.value} of {self.value.id}"


def not_computed(states: VersionStates, role: str = SERVING) -> tuple[Missing, ...]:
    """
    Return that the states of a segment are missing; nothing if they are not.

    :param states: States of a term of the segment; nothing is missing if they are the states of all rows.
    :param role: Role of the dataset.
    """
    if states.term is None or states.is_synced(role):
        return ()
    name = states.term.segment.name
    text = f"Segment {name} is not computed yet for the {role} dataset of version {states.name}."
    faults = "; ".join(states.faults_of_segment(role))
    if faults:
        return (Missing(text, f"It cannot be computed: {faults}."),)
    return (Missing(text, "The next sync of the dataset computes it: run SyncDatasetOperator."),)
