"""The conventions of documentation comments, and which of them a language's files use."""

from __future__ import annotations

import re
from collections import Counter
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable


class Convention(StrEnum):
    """How documentation is written down."""

    GOOGLE = "google"
    NUMPY = "numpy"
    REST = "rest"
    EPYTEXT = "epytext"
    JSDOC = "jsdoc"
    TSDOC = "tsdoc"
    JAVADOC = "javadoc"
    GODOC = "godoc"
    PHPDOC = "phpdoc"
    YARD = "yard"
    XMLDOC = "xmldoc"
    RUSTDOC = "rustdoc"
    DOXYGEN = "doxygen"


USUAL: Final = {
    "python": Convention.GOOGLE,
    "javascript": Convention.JSDOC,
    "javascriptreact": Convention.JSDOC,
    "typescript": Convention.TSDOC,
    "typescriptreact": Convention.TSDOC,
    "java": Convention.JAVADOC,
    "go": Convention.GODOC,
    "php": Convention.PHPDOC,
    "ruby": Convention.YARD,
    "csharp": Convention.XMLDOC,
    "rust": Convention.RUSTDOC,
    "c": Convention.DOXYGEN,
    "cpp": Convention.DOXYGEN,
}
"""What a file is written in that shows nothing of its own; also which languages are known."""

_PYTHON: Final = (
    (
        Convention.NUMPY,
        re.compile(r"^\s*(Parameters|Returns|Raises|Yields)\s*\n\s*-{3,}", re.MULTILINE),
    ),
    (
        Convention.REST,
        re.compile(r"^\s*:(param|type|returns?|rtype|raises?)\b[^:\n]*:", re.MULTILINE),
    ),
    (
        Convention.EPYTEXT,
        re.compile(r"^\s*@(param|type|return|rtype|raise)\b[^:\n]*:", re.MULTILINE),
    ),
    (
        Convention.GOOGLE,
        re.compile(r"^[ \t]*(Args|Arguments|Returns|Raises|Yields):[ \t]*\n\s+\S", re.MULTILINE),
    ),
)


def convention_of(language: str, documentation: Iterable[str]) -> Convention | None:
    """Return the convention that documentation is written in, the most frequent one.

    Python alone has several; where nothing tells them apart, and in every other language, it is
    the usual one. None where nothing is known of the language.
    """
    usual = USUAL.get(language)
    if language != "python":
        return usual
    votes: Counter[Convention] = Counter()
    for text in documentation:
        votes.update(one for one, mark in _PYTHON if mark.search(text))
    return votes.most_common(1)[0][0] if votes else usual


def shown_convention(documentation: str) -> Convention | None:
    """Return the convention that one documentation of Python's shows; None if it shows none."""
    return next((one for one, mark in _PYTHON if mark.search(documentation)), None)
