"""How each engine writes a value into a page, and clauses said once for all of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pydantic import ConfigDict, Field

from coai_agents.analysis.rules.rules import Regex, RuleModel

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


_OUTPUT: Final = re.compile(r"OUTPUT(?:\[([^\]\n]+)\])?")


class Output(RuleModel):
    """What an engine writes between a page's text."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    formats: tuple[str, ...] = Field(min_length=1)
    pattern: Regex
    """A value that is put in."""
    code: Regex = r"(?!)"
    """What else the engine reads: statements and comments."""
    example: str
    """A value as it is escaped for text, with `NAME` for the value."""

    def written(self, text: str) -> str:
        """Return an example with `OUTPUT` and `OUTPUT[VALUE]` as this engine writes them."""
        return _OUTPUT.sub(lambda said: self.example.replace("NAME", said[1] or "name"), text)


def for_each_output(
    clause: Mapping[str, object], outputs: Mapping[str, Output], formats: tuple[str, ...]
) -> Iterator[dict[str, object]]:
    """Yield a clause of a context for each engine that it is meant for, with its own examples."""
    named = clause.get("formats", formats)
    for format_, output in outputs.items():
        if isinstance(named, list | tuple) and format_ in named:
            said = {key: output.written(str(clause[key])) for key in ("bad", "good")}
            yield {**clause, **said, "formats": [format_]}
