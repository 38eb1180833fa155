"""Reads a profile of whatever kind; which it is, its first bytes say."""

from __future__ import annotations

import json
from typing import Any, Final, cast

from coai_agents.specialists.performance.profiles.marshalled import read_pstats
from coai_agents.specialists.performance.profiles.profile import Profile, ProfileError
from coai_agents.specialists.performance.profiles.protobuf import GZIP, read_pprof
from coai_agents.specialists.performance.profiles.written import read_json

MOST_BYTES: Final = 300_000_000
"""Of a profile's file."""

_DICTIONARY: Final = ord("{")
_REFERENCED: Final = 0x80


def read_profile(content: bytes) -> Profile:
    """Read a profile; raises `ProfileError` that says what is known.

    Known are Python's pstats, pyinstrument's JSON, speedscope's, `.cpuprofile` and pprof.
    """
    if not content:
        raise ProfileError("The profile is empty.")
    if content.lstrip()[:1] == b"{" and (parsed := _json(content)) is not None:
        return read_json(parsed)
    if content[0] & ~_REFERENCED == _DICTIONARY:
        return read_pstats(content)
    try:
        return read_pprof(content)
    except ProfileError as error:
        if content.startswith(GZIP):
            raise
        raise ProfileError(
            "The file is none of the known profiles.",
            remedy="Known are pstats, pyinstrument's JSON, speedscope, .cpuprofile and pprof.",
        ) from error


def _json(content: bytes) -> dict[str, Any] | None:
    try:
        parsed = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", parsed) if isinstance(parsed, dict) else None
