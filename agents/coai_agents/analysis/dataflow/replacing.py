"""What text is harmless for once parts of it were replaced, or are known not to be in it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.dataflow.lowering.base import unescape

if TYPE_CHECKING:
    from coai_agents.analysis.rules.matching import RuleSet

REPLACING: Final = frozenset(
    {
        "replace",
        "replaceAll",
        "replace_all",
        "gsub",
        "Replace",
        "ReplaceAll",
        "ReplaceAllString",
        "preg_replace",
        "sub",
        "tr",
    }
)

_ALL_BUT: Final = re.compile(r"[/~#]?(?:\[\^((?:[^\]\\]|\\.)+)\]|\\([WD]))[+*]?[/~#]?[a-z]*")
"""A regular expression that matches whatever is not in a set of characters."""

_ANY_OF: Final = re.compile(
    r"\[([^\^\]\\](?:[^\]\\]|\\.)*|(?:\\.)(?:[^\]\\]|\\.)*)\][+*]?", re.DOTALL
)
"""A regular expression that matches any character of a set."""

CLIMBING: Final = re.compile(r"[/~#]?\^\(?(?:\?:)?\(?(?:\\\.\\\.|\[.\]\[.\])")
"""A regular expression of what climbs out of a folder, at the beginning of a path."""

INSIDE: Final = "path:inside"
"""What is cleared where a path is made normal."""

_CHARACTER: Final = re.compile(r"\\?.", re.DOTALL)

REJECTED: Final[dict[str, set[str]]] = {
    "'": {"sql", "xpath", "code:inside"},
    '"': {"sql", "xpath", "code:inside"},
    "..": {"path"},
    "../": {"path"},
    "/": {"path"},
    "\\": {"path"},
    "<": {"html"},
    ">": {"html"},
    ";": {"command"},
    "&": {"command"},
    "|": {"command"},
    "(": {"ldap"},
    ")": {"ldap"},
    "*": {"ldap"},
    "\n": {"log", "header"},
    "\r": {"log", "header"},
    "\r\n": {"log", "header"},
    "//": {"redirect"},
}
"""What a value without this text in it is harmless for."""

PICKING: Final = frozenset({"match", "fullmatch", "search", "findall", "finditer", "scan"})
"""Functions that return what a pattern matches of a text."""

_DELIMITED: Final = re.compile(r"([/~#!%])(.*)\1[a-zA-Z]*", re.DOTALL)

_PLAIN: Final = re.compile(
    r"(?:\\[wdAzZbB]|\[-?(?:[A-Z]-[A-Z]|[a-z]-[a-z]|[0-9]-[0-9]|[A-Za-z0-9_]|\\[wd-])+-?\]"
    r"|[A-Za-z0-9_^$()?:+*{},|-]|\?P?<\w+>)+"
)
"""A pattern of letters, digits, underscores and hyphens; `[A-z]` has signs between its ends."""

_CAPTURING: Final = re.compile(r"\[|\\[wd]")


def is_plain(pattern: object) -> bool:
    """Say whether what a pattern matches has only letters, digits, underscores and hyphens."""
    if not isinstance(pattern, str) or len(pattern) > _LONGEST:
        return False
    inner = _DELIMITED.fullmatch(pattern)
    text = pattern if inner is None else inner[2]
    return _CAPTURING.search(text) is not None and _PLAIN.fullmatch(text) is not None


_LONGEST: Final = 200
"""Characters of patterns that are looked at."""

_PLAIN_NAMES: Final = frozenset({"path", "redirect", "ssrf"})
"""Categories for which a dot or a slash does harm."""


def all_but(pattern: str, rules: RuleSet) -> frozenset[str]:
    """Return what text is harmless for that has none of what a pattern matches.

    Only where the pattern is of all characters but those of a set.
    """
    match = _ALL_BUT.fullmatch(pattern)
    if match is None:
        return frozenset()
    allowed = re.sub(r"\\[wds]|[0-9a-zA-Z]-[0-9a-zA-Z]", "", match[1] or "")
    allowed = re.sub(r"\\(\W)", r"\1", allowed)
    kept: set[str] = set()
    for text, categories in REJECTED.items():
        if len(text) == 1 and text in allowed:
            kept |= categories
    if "." in allowed or "/" in allowed:
        kept |= _PLAIN_NAMES
    return frozenset({each.category for each in rules.concepts.values()} - kept)


def rejected(pattern: str) -> frozenset[str]:
    """Return what is harmless once a text, or every character of a set, was replaced."""
    match = _ANY_OF.fullmatch(pattern)
    if match is None:
        return frozenset(REJECTED.get(pattern, ()))
    found = (REJECTED.get(unescape(each), ()) for each in _CHARACTER.findall(match[1]))
    return frozenset[str]().union(*found)
