"""Parameters that a server refuses to know: left out from then on, and the request sent again.

Every server knows another part of what is called the same API, and a fitting request is worth more
than an account of its tokens or a stop word, which are cut off here as well.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from coai_routing.errors import RequestRejectedError


class LeftOut:
    """The parameters that one server has refused, of those that can be done without."""

    def __init__(self, *optional: str) -> None:
        self._optional = frozenset(optional)
        self._names: set[str] = set()

    def __contains__(self, name: str) -> bool:
        """Say whether a parameter has been refused."""
        return name in self._names

    @property
    def count(self) -> int:
        """How many parameters have been refused; taken before a request is sent, for `learn`."""
        return len(self._names)

    def learn(self, error: RequestRejectedError, sent: Iterable[str], *, known: int) -> bool:
        """Take a refusal in; say whether the request is another one without what it names.

        `known` is the `count` when it was sent: another request, under way at the same time, may
        have brought the same refusal since.
        """
        refused = named(error, self._optional.intersection(sent))
        news = not refused <= self._names or known < len(self._names)
        self._names |= refused
        return bool(refused) and news

    def apply(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return options without what has been refused."""
        return {name: value for name, value in options.items() if name not in self._names}


def named(error: RequestRejectedError, names: Iterable[str]) -> frozenset[str]:
    """Return those of a request's parameters that a refusal names, however it spells them."""
    told = " ".join((*sorted(error.parameters), error.message))
    return frozenset(name for name in names if _spellings(name).search(told))


@cache
def _spellings(name: str) -> re.Pattern[str]:
    """Match `stream_options`, `streamOptions`, `stream-options`, ... as a word of its own."""
    spelled = r"[_\s-]?".join(map(re.escape, name.split("_")))
    return re.compile(rf"(?<![A-Za-z0-9_]){spelled}(?![A-Za-z0-9_])", re.IGNORECASE)
