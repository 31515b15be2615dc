"""Terms of segments, whose states are read."""

from __future__ import annotations

from dataclasses import dataclass

from aporia_provider.backend.registration.version_segments import VersionSegment
from aporia_provider.backend.store.segment_keys import term_prefix
from aporia_provider.errors import ValidationError
from aporia_provider.nearest import nearest
from aporia_provider.segment_values import segment_text


@dataclass(frozen=True)
class StatesTerm:
    """
    A term of a segment, whose states are read.

    :param segment: The segment.
    :param place: Position of the term.
    """

    segment: VersionSegment
    place: int

    @classmethod
    def of(cls, segment: VersionSegment, label: str) -> StatesTerm:
        """
        Return the term with a label. A label that differs only in the case of letters is found as well.

        :raises aporia_provider.errors.ValidationError: if there is no such term.
        """
        labels = [each for each, _ in segment.terms]
        for known, wanted in ((labels, label), ([each.lower() for each in labels], label.lower())):
            if wanted in known:
                return cls(segment, known.index(wanted))
        raise ValidationError(f"Segment {segment.name!r} has no value {label!r}; {nearest(label, labels)}")

    @property
    def prefix(self) -> str:
        """Return the prefix of the keys of its states."""
        return term_prefix(self.segment.key, self.place)

    @property
    def label(self) -> str:
        """Return the label of the term."""
        return self.segment.terms[self.place][0]

    @property
    def text(self) -> str:
        """Return the text that identifies the term in verdicts and alerts."""
        return segment_text(self.segment.name, self.label)

    @property
    def described(self) -> str:
        """Return the segment and the label of the term, for messages."""
        return f"value {self.segment.terms[self.place][0]!r} of segment {self.segment.name!r}"
