"""Gitignore patterns of a directory, as they read from a directory below it."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

EVERYTHING = "*"


def rebased(pattern: str, below: Sequence[str]) -> tuple[str, ...]:
    """Return an excluding pattern as it reads from `below`, given by its names from the pattern's.

    No pattern is the answer if it matches nothing there. Where that is not certain the answer
    excludes more: the patterns keep files out of prompts. A pattern without a slash, except at its
    end, holds at any depth (https://git-scm.com/docs/gitignore).
    """
    if not pattern.endswith("\\ "):
        pattern = pattern.rstrip()
    whole = pattern.rstrip("/")
    slash = pattern[len(whole) :]
    if "/" not in whole:
        matches_above = any(_may_match(name, whole) for name in below)
        return (EVERYTHING,) if matches_above else (pattern,)
    parts = whole.removeprefix("/").split("/")
    remainders: dict[str, None] = {}
    # Pairs of how many parts and how many names are matched; `**` matches any number of names.
    waiting = [(0, 0)]
    reached: set[tuple[int, int]] = set()
    while waiting:
        part, name = waiting.pop()
        if (part, name) in reached:
            continue
        reached.add((part, name))
        if all(each == "**" for each in parts[part:]):
            return (EVERYTHING,)
        if name == len(below):
            remainders["/" + "/".join(parts[part:]) + slash] = None
        elif parts[part] == "**":
            waiting += [(part, name + 1), (part + 1, name)]
        elif _may_match(below[name], parts[part]):
            waiting.append((part + 1, name + 1))
    return tuple(remainders)


def _may_match(name: str, part: str) -> bool:
    """Return whether a part of a pattern may match a name; yes if it needs more than `*` and `?`.

    Letters match in either case, as on file systems that do not tell them apart.
    """
    plain = not set(part) & set("[]\\")
    return not plain or fnmatchcase(name.lower(), part.lower())
