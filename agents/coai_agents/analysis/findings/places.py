"""Places in other files, as findings and summaries refer to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Place:
    """A place in another file; lines and columns from 0, columns in UTF-16 code units."""

    uri: str
    line: int
    start: int
    end_line: int
    end: int

    def as_list(self) -> list[object]:
        """Return it as JSON."""
        return [self.uri, self.line, self.start, self.end_line, self.end]

    @classmethod
    def of(cls, document: Sequence[Any]) -> Place:
        """Return it from JSON; raises TypeError or ValueError if it is none."""
        uri, *numbers = document
        line, start, end_line, end = map(int, numbers)
        return cls(str(uri), line, start, end_line, end)

    @property
    def name(self) -> str:
        """The file's name and the line, as they are shown."""
        return f"{self.uri.rpartition('/')[2]}:{self.line + 1}"
