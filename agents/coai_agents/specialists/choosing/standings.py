"""Standings: how each agent's answers did, by capability and model, in a small SQLite file.

An answer is a row: who gave it, what it took and what it cost, and what became of it. It holds no
code, no question and no file name. The standing is that of `coai_routing.policy.bandit`: what was
good and bad of the last fifty or so answers, with a draw from what little is known of the others.
"""

from __future__ import annotations

import random
import secrets
import sqlite3
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import platformdirs

from coai_routing.errors import CoaiError
from coai_routing.policy.bandit import Verdict, judged
from coai_routing.records.private_sqlite import (
    make_tables,
    open_private,
    open_read_only,
    set_aside,
    transaction,
    write_ahead,
)

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence
    from pathlib import Path

VERSION: Final = 1
"""Of the table, kept in SQLite's `user_version`."""
MOST_ANSWERS: Final = 20_000
"""The oldest make room."""
ENOUGH: Final = 5.0
"""Verdicts, the older the less, from which on an agent can be left out of a team."""
POOR: Final = 0.25
"""A standing below which an agent is left out: three of four answers were of no help."""

_TABLE: Final = """CREATE TABLE answers (
    id TEXT PRIMARY KEY,
    at REAL NOT NULL,
    agent TEXT NOT NULL,
    capability TEXT NOT NULL,
    model TEXT NOT NULL,
    seconds REAL NOT NULL,
    usd REAL NOT NULL,
    answered INTEGER NOT NULL,
    challenger INTEGER NOT NULL,
    verdict TEXT NOT NULL DEFAULT ''
)"""


class StandingsError(CoaiError):
    """The standings cannot be read or written, or an answer is not there."""


@dataclass(frozen=True, slots=True)
class Given:
    """An answer of an agent, and what it took."""

    agent: str
    capability: str = ""
    """What the model was asked for; empty where none was asked."""
    model: str = ""
    """The model's alias; empty where the facts are the answer."""
    seconds: float = 0.0
    usd: float = 0.0
    answered: bool = True
    """Whether there was anything to say."""
    challenger: bool = False
    """Whether the model was asked instead of the one that the router would have chosen."""
    verdict: Verdict | None = None
    at: float = 0.0
    """Seconds since 1970."""
    id: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """How the answers of an agent with one model did."""

    agent: str
    capability: str
    model: str
    answers: int
    share: float
    """Of all answers, from 0 to 1."""
    answered: float
    """The share that had something to say, from 0 to 1."""
    good: int
    kept: int
    """How many of these nobody judged: a change of it still stood when the file was saved."""
    bad: int
    standing: float
    """From 0 to 1: how likely the next one is of help, by the last ones; 0.5 where nothing says."""
    weight: float
    """On how many verdicts that stands, the older the less."""
    seconds: float
    """The mean time of an answer."""
    usd: float
    """All that they cost."""
    challenger: int
    """How many were the challenger's."""

    def as_json(self) -> dict[str, Any]:
        """Return it for scripts."""
        return {
            "agent": self.agent,
            "capability": self.capability,
            "model": self.model,
            "answers": self.answers,
            "share": self.share,
            "answered": self.answered,
            "helpful": self.good,
            "kept": self.kept,
            "unhelpful": self.bad,
            "standing": self.standing,
            "weight": self.weight,
            "meanSeconds": self.seconds,
            "usd": self.usd,
            "challenger": self.challenger,
        }


def location() -> Path:
    """Return where the user's standings are."""
    return platformdirs.user_state_path("coai", appauthor=False) / "standings.sqlite3"


class Standings:
    """Opens the file for each use, as the memory does; all of it is for a thread."""

    def __init__(self, path: Path) -> None:
        """Touch nothing yet."""
        self.path = path

    def keep(self, given: Given) -> str:
        """Keep an answer; return what it is called. Raises `StandingsError`."""
        name = given.id or secrets.token_hex(4)
        self._insert([replace(given, id=name)])
        return name

    def keep_team(self, members: Sequence[Given]) -> str:
        """Keep an answer that several agents gave together; return what it is called."""
        name = secrets.token_hex(4)
        self._insert(
            [replace(each, id=f"{name}.{number}") for number, each in enumerate(members, 1)]
        )
        return name

    def _insert(self, rows: Sequence[Given]) -> None:
        now = datetime.now(UTC).timestamp()
        with self._written() as database:
            database.executemany(
                "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (
                        each.id,
                        each.at or now,
                        each.agent,
                        each.capability,
                        each.model,
                        each.seconds,
                        each.usd,
                        each.answered,
                        each.challenger,
                        each.verdict or "",
                    )
                    for each in rows
                ],
            )
            database.execute(
                "DELETE FROM answers WHERE id NOT IN"
                " (SELECT id FROM answers ORDER BY at DESC LIMIT ?)",
                (MOST_ANSWERS,),
            )

    def rate(self, name: str | None, *, helpful: bool) -> list[Given]:
        """Say whether an answer was of help, the last one without a name; return it as it was.

        A team's answer is one for each of its members. A later word on the same answer takes the
        earlier one's place. Raises `StandingsError`.
        """
        if name is None:
            newest = next(iter(self.answers(most=1)), None)
            if newest is None:
                raise StandingsError("There is no answer yet.", remedy="Ask something first.")
            name = newest.id.partition(".")[0]
        known = [each for each in self.answers() if each.id.partition(".")[0] == name]
        if not known:
            remedy = "`coai rate` alone lists the last ones."
            raise StandingsError(f"There is no answer {name}.", remedy=remedy)
        verdict = Verdict.ACCEPTED if helpful else Verdict.REJECTED
        with self._written() as database:
            database.executemany(
                "UPDATE answers SET verdict = ? WHERE id = ?",
                [(verdict, each.id) for each in known],
            )
        return known

    def answers(self, *, most: int = MOST_ANSWERS) -> list[Given]:
        """Return the last answers, the newest first."""
        if not self.path.exists():
            return []
        try:
            with closing(open_read_only(self.path)) as database:
                rows = database.execute(
                    "SELECT agent, capability, model, seconds, usd, answered, challenger, verdict,"
                    " at, id FROM answers ORDER BY at DESC, rowid DESC LIMIT ?",
                    (most,),
                ).fetchall()
        except sqlite3.Error as error:
            raise self._unreadable(error) from error
        return [_given(row) for row in rows]

    def table(self, since: float = 0.0) -> list[Standing]:
        """Return how every agent did with each model since then, the most asked first."""
        return standings([each for each in self.answers() if each.at >= since])

    @contextmanager
    def _written(self) -> Generator[sqlite3.Connection]:
        try:
            database = self._open()
        except (sqlite3.Error, OSError) as error:
            raise self._unreadable(error) from error
        try:
            with transaction(database):
                yield database
        except sqlite3.Error as error:
            raise self._unreadable(error) from error
        finally:
            database.close()

    def _open(self) -> sqlite3.Connection:
        try:
            return open_private(self.path, _prepare)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:
            # Damaged: what was learned begins anew, and the file is kept beside it.
            set_aside(self.path)
            return open_private(self.path, _prepare)

    def _unreadable(self, error: Exception) -> StandingsError:
        return StandingsError(
            f"The standings of agents, {self.path}, cannot be used: {error}.",
            remedy="See that its disk is not full and that you may write there, or delete it.",
        )


def standings(answers: Iterable[Given]) -> list[Standing]:
    """Return how every agent did with each model; the newest answers first."""
    grouped: dict[tuple[str, str, str], list[Given]] = {}
    every = list(answers)
    for each in every:
        grouped.setdefault((each.agent, each.capability, each.model), []).append(each)
    table = [_standing(group, len(every)) for group in grouped.values()]
    return sorted(table, key=lambda each: (-each.answers, each.agent, each.model))


def _standing(group: Sequence[Given], every: int) -> Standing:
    verdicts = [each.verdict for each in reversed(group) if each.verdict is not None]
    good, bad = judged((0.0, 0.0), verdicts)
    unhelpful = verdicts.count(Verdict.REJECTED)
    first = group[0]
    return Standing(
        first.agent,
        first.capability,
        first.model,
        len(group),
        len(group) / every,
        sum(each.answered for each in group) / len(group),
        len(verdicts) - unhelpful,
        verdicts.count(Verdict.KEPT),
        unhelpful,
        (1.0 + good) / (2.0 + good + bad),
        good + bad,
        sum(each.seconds for each in group) / len(group),
        sum(each.usd for each in group),
        sum(each.challenger for each in group),
    )


def left_out(
    agents: Sequence[str], answers: Iterable[Given], draw: random.Random | None = None
) -> frozenset[str]:
    """Return who is not asked although a request is for it, because its answers were of no help.

    Who was judged seldom stays, somebody always stays, and who is left out is drawn again: a draw
    from what is known of an agent is above the mark now and then.
    """
    dice = draw or random.Random()  # noqa: S311 - an exploration, not a key
    verdicts: dict[str, list[Verdict]] = {}
    for each in answers:
        if each.verdict is not None:
            verdicts.setdefault(each.agent, []).insert(0, each.verdict)
    drawn: dict[str, float] = {}
    for agent in agents:
        good, bad = judged((0.0, 0.0), verdicts.get(agent, ()))
        if good + bad >= ENOUGH * 0.9:
            drawn[agent] = dice.betavariate(1.0 + good, 1.0 + bad)
    poor = {agent for agent, value in drawn.items() if value < POOR}
    if poor >= set(agents):
        poor.discard(max(poor, key=lambda agent: drawn[agent]))
    return frozenset(poor)


def _given(row: tuple[Any, ...]) -> Given:
    *values, answered, challenger, verdict, at, name = row
    agent, capability, model, seconds, usd = values
    return Given(
        agent,
        capability,
        model,
        seconds,
        usd,
        bool(answered),
        bool(challenger),
        Verdict(verdict) if verdict else None,
        at,
        name,
    )


def _prepare(database: sqlite3.Connection) -> None:
    """Make the table; raises `sqlite3.DatabaseError` for what is no file of standings."""
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version not in (0, VERSION):
        raise sqlite3.DatabaseError(f"it has version {version}")
    write_ahead(database, "NORMAL")
    if version != VERSION:
        make_tables(database, VERSION, (_TABLE,))
