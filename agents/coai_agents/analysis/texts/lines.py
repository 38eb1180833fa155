"""Files of settings by lines, `key = value`, as one unit with its values by path."""

from __future__ import annotations

import re
from typing import Final

from coai_agents.analysis.texts.entries import Entry, Unit
from coai_agents.source import Span

_LINE: Final = re.compile(
    r"^[ \t]*(?![#;!])(?P<key>[\w./\[\]@:-]{1,200}?)[ \t]*(?:[=:][ \t]*|[ \t]+)"
    r"(?P<value>[^\r\n]*)\r?$",
    re.MULTILINE,
)
_COMMENT: Final = re.compile(r"(?<![ \t])[ \t]+[#;].*$")


def lines_unit(text: str) -> Unit:
    """Return a file's settings; dots in a key part the steps of its path."""
    unit = Unit("settings", Span(0, 0))
    for line in _LINE.finditer(text):
        value = _COMMENT.sub("", line["value"]).strip().strip("\"'")
        span = Span(line.start("key"), line.start("value") + len(line["value"].rstrip()))
        unit.entries.append(Entry(tuple(line["key"].split(".")), value, span))
    return unit
