"""Which of several equally suited models to ask, learned from what became of their answers.

Discounted Thompson sampling (Raj and Kalyani, 2017): what was good and bad of a model's answers,
the older the less, is a beta distribution, and a draw from it is the model's standing. A model of
which little is known is tried now and then; one that has become worse is found out.
"""

from __future__ import annotations

import logging
import random
import threading
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from coai_routing.errors import BooksError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from coai_routing.records.spending import SpendingLedger
    from coai_routing.request import Capability

logger = logging.getLogger(__name__)

DISCOUNT: Final = 0.98
"""What an earlier outcome counts after each later one: the last fifty or so decide."""


class Verdict(StrEnum):
    """What became of an answer."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    KEPT = "kept"
    """What was accepted still stood some time later."""
    VERIFIED = "verified"
    """A fix that held: it parses, the finding is gone, none is new."""


_GOOD: Final = {
    Verdict.ACCEPTED: 1.0,
    Verdict.REJECTED: 0.0,
    Verdict.KEPT: 1.0,
    Verdict.VERIFIED: 1.0,
}


def judged(
    standing: tuple[float, float],
    added: Iterable[Verdict],
    withdrawn: Iterable[Verdict] = (),
) -> tuple[float, float]:
    """Return the good and the bad after more verdicts, and without those that were withdrawn."""
    good, bad = standing
    for verdict in withdrawn:
        good, bad = max(0.0, good - _GOOD[verdict]), max(0.0, bad - 1.0 + _GOOD[verdict])
    for verdict in added:
        good, bad = DISCOUNT * good + _GOOD[verdict], DISCOUNT * bad + 1.0 - _GOOD[verdict]
    return good, bad


class BanditStandings:
    """Remembers verdicts, and draws standings. Reading it is memory only."""

    def __init__(
        self,
        books: SpendingLedger | None = None,
        *,
        draw: random.Random | None = None,
        on: bool = True,
    ) -> None:
        self._books = books
        self.draw = draw or random.Random()  # noqa: S311 - an exploration, not a key
        self._on = on
        self._known: Mapping[tuple[str, str], tuple[float, float]] = {}
        self._lock = threading.Lock()

    def load(self) -> None:
        """Read what was learned before; for a thread. Without it, learning begins anew."""
        if self._books is None:
            return
        try:
            self._known = self._books.read_standings()
        except BooksError as error:
            logger.warning("What was learned of models cannot be read. %s", error)

    def note(
        self,
        capability: Capability,
        alias: str,
        *added: Verdict,
        withdrawn: Iterable[Verdict] = (),
    ) -> None:
        """Remember verdicts, and forget those that do not hold any more.

        For a thread where there are books; raises BooksError. What other processes of the user's
        have learned of the model meanwhile is in the books, and counts.
        """

        def change(standing: tuple[float, float]) -> tuple[float, float]:
            return judged(standing, added, withdrawn)

        with self._lock:
            key = (capability, alias)
            if self._books is None:
                standing = change(self._known.get(key, (0.0, 0.0)))
            else:
                standing = self._books.change_standing(capability, alias, change)
            # Replaced, never changed: who reads it does so in another thread.
            self._known = {**self._known, key: standing}

    def standings(self, capability: Capability) -> Mapping[str, float]:
        """Draw a standing from 0 to 1 for each model that was judged for a capability."""
        if not self._on:
            return {}
        return {
            alias: self.draw.betavariate(1.0 + good, 1.0 + bad)
            for (name, alias), (good, bad) in self._known.items()
            if name == capability
        }

    def means(self) -> Mapping[tuple[str, str], tuple[float, float]]:
        """Return for each capability and model the mean standing, and how much it stands on."""
        return {
            key: ((1.0 + good) / (2.0 + good + bad), good + bad)
            for key, (good, bad) in self._known.items()
        }
