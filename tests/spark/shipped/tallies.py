"""A state that adds up, in the form that the states of a profile have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields, replace
from typing import ClassVar, Self

from tests.spark.shipped import kinds


@dataclass(frozen=True)
class Tally:
    """How many texts begin with which kind of letter."""

    kind: ClassVar[str] = "tally"

    texts: int = 0
    letters: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, texts: Iterable[str]) -> Self:
        counted = Counter(kinds.letter(text[0]).value for text in texts)
        return cls(sum(counted.values()), dict(counted))

    def __add__(self, other: Tally) -> Tally:
        letters = dict(Counter(self.letters) + Counter(other.letters))
        return replace(self, texts=self.texts + other.texts, letters=letters)

    def to_json(self) -> dict[str, object]:
        return {"kind": self.kind, "parts": [part.name for part in fields(self)], **asdict(self)}
