"""Requests with and without what is sensitive, through a router, past servers that record all.

One server is reached by an address that does not count as this machine. Whatever arrives there is
kept, byte by byte, and afterwards searched for everything sensitive that was ever asked about.
"""

from __future__ import annotations

import asyncio
import logging
import random
import string
import tempfile
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from coai_routing.errors import CoaiError
from coai_routing.privacy.departures import EgressLog, read_departures
from coai_routing.privacy.egress import Egress
from coai_routing.privacy.sensitivity import SensitivityRules, ShownFile
from coai_routing.router.cache import AnswerCache
from coai_routing.router.router import RouterSettings
from tests.routing.providers.dialects import LLAMA_SERVER
from tests.support import faulty_server
from tests.support.faulty_server import FaultyServer, respond, stream
from tests.support.many_names import TwoFolders, write_two_folders
from tests.support.routing import place, question, routing
from tests.support.secret_texts import ASSIGNMENTS, assigned

if TYPE_CHECKING:
    from collections.abc import Callable

    from coai_routing.policy.question import Question
    from coai_routing.router.router import Router
    from tests.support.faulty_server import Exchange

_GOOD: Final = stream([LLAMA_SERVER.piece("ok"), *LLAMA_SERVER.last], LLAMA_SERVER.content_type)
_CUT: Final = stream([LLAMA_SERVER.piece("o")], LLAMA_SERVER.content_type, ending="cut")
_BEHAVIOURS: Final = (
    *[_GOOD] * 8,
    respond(500, {"error": "boom"}),
    respond(429, {"error": "wait"}, {"Retry-After": "0"}),
    respond(529, {"error": "Overloaded"}),
    respond(400, {"error": "no such option"}),
    faulty_server.reset,
    faulty_server.hang_up,
    faulty_server.silent,
    _CUT,
)
_ALPHABET: Final = string.ascii_letters + string.digits
_BATCH: Final = 50
_OF_FILES: Final = 0.3
"""The share of questions that show a file on disk, with the rules of its own project."""
_PATTERN: Final = "PROJECT-[A-Z]{8}"


@dataclass
class Leaks:
    """What was asked and what got out."""

    cases: int = 0
    sensitive: int = 0
    departed: int = 0
    """Requests that arrived outside, which shows that the way there is open."""
    logged: int = 0
    canaries: list[str] = field(default_factory=list[str])
    outside: bytearray = field(default_factory=bytearray)
    kept: bytearray = field(default_factory=bytearray)
    """Every byte of the logs and of the answers on disk."""

    def leaked(self) -> list[str]:
        """Return what was sensitive and arrived outside."""
        return [canary for canary in self.canaries if canary.encode() in self.outside]

    def written(self) -> list[str]:
        """Return what was sensitive and stands in a log or on disk."""
        return [canary for canary in self.canaries if canary.encode() in self.kept]


class _Collector(logging.Handler):
    """Keeps every line that is logged."""

    def __init__(self, leaks: Leaks) -> None:
        super().__init__(logging.DEBUG)
        self._leaks = leaks

    def emit(self, record: logging.LogRecord) -> None:
        self._leaks.kept.extend(record.getMessage().encode())


def _with_check_digit(digits: str) -> str:
    """Append the digit that makes a number pass Luhn's test."""
    total = sum(
        sum(divmod(2 * int(digit), 10)) if place % 2 == 0 else int(digit)
        for place, digit in enumerate(reversed(digits))
    )
    return digits + str(-total % 10)


_SENSITIVE: Final[tuple[Callable[[random.Random], str], ...]] = (
    lambda draw: "ghp_" + "".join(draw.choices(_ALPHABET, k=36)),
    lambda draw: "AKIA" + "".join(draw.choices("QZXWJKVB234567MP", k=16)),
    lambda draw: "sk-ant-api03-" + "".join(draw.choices(_ALPHABET, k=93)) + "AA",
    lambda draw: "".join(draw.choices(string.ascii_lowercase, k=12)) + "@engines.io",
    lambda draw: "+44 20 " + "".join(draw.choices("1346789", k=8)),
    lambda draw: _with_check_digit("4539" + "".join(draw.choices("0123456789", k=11))),
    lambda draw: "PROJECT-" + "".join(draw.choices(string.ascii_uppercase, k=8)),
)


_FORMS: Final = tuple(ASSIGNMENTS)

_PRIVATE_NAMES: Final = (
    "deploy/.env",
    ".ssh/id_rsa",
    "internal/plan.md",
    "src/../internal/plan.md",
    "./internal//plan.md",
    "internal\\plan.md",
    "internal%2Fplan.md",
    "%2569nternal/plan.md",
    "file:///internal/plan.md",
    "vscode-notebook-cell:/internal/plan.ipynb#W0",
    "untitled:internal/plan.md",
)


def _case(draw: random.Random, number: int, leaks: Leaks, folders: TwoFolders) -> Question:
    """Make a question; what is sensitive about it is noted as a canary."""
    lines = [f"value_{draw.randrange(10**9)} = {draw.random()}" for _ in range(draw.randrange(6))]
    paths: tuple[str | ShownFile, ...] = (draw.choice(["src/a.py", "README.md", "lib/util.go"]),)
    if draw.random() < _OF_FILES:
        paths = folders.own(folders.open["plain"]).files
    marked = False
    match draw.randrange(10):
        case 0 | 1 | 2 | 3:
            canary = draw.choice(_SENSITIVE)(draw)
            # Personal data are told by what stands around them: a comment's address is no secret.
            personal = "@" in canary or " " in canary or canary.isdigit()
            form = draw.choice(_FORMS)
            line = f"field = '{canary}'" if personal else assigned(form, "field", canary)
            lines.insert(draw.randrange(len(lines) + 1), line)
            leaks.canaries.append(canary)
        case 4:
            canary = f"canary_{number}_{draw.randrange(10**9)}"
            lines.append(canary)
            leaks.canaries.append(canary)
            paths = (*paths, *_private(draw, folders))
        case 5:
            canary = f"canary_{number}_{draw.randrange(10**9)}"
            lines.append(canary)
            leaks.canaries.append(canary)
            marked = True
        case _:
            lines.append(f"# case {number}")
    if leaks.canaries:
        leaks.sensitive = len(leaks.canaries)
    made = question("\n".join(lines) or "?", timeout=draw.choice([0.15, 0.4]), sensitive=marked)
    return replace(
        made,
        paths=paths,
        cached=draw.random() < 0.9,
        hedge=draw.random() < 0.3,
        complexity=draw.random(),
    )


def _private(draw: random.Random, folders: TwoFolders) -> tuple[str | ShownFile, ...]:
    """Return a file that must stay here, by one of its names."""
    match draw.randrange(3):
        case 0:
            return (draw.choice(_PRIVATE_NAMES),)
        case 1:
            return folders.own(f"file://{folders.top}/b/z.py").files
        case _:
            return folders.own(draw.choice(list(folders.private.values()))).files


async def _ask(router: Router, asked: Question, *, streamed: bool) -> None:
    try:
        if streamed:
            async with aclosing(router.stream(asked)) as deltas:
                async for _ in deltas:
                    pass
        else:
            await router.answer(asked)
    except CoaiError as error:
        logging.getLogger("leaks").warning("%s", error)


async def run_cases(count: int, folder: Path, *, seed: int = 0) -> Leaks:
    """Ask `count` questions of all kinds under all settings; return what got out."""
    leaks = Leaks()
    collector = _Collector(leaks)
    root = logging.getLogger()
    root.addHandler(collector)
    level = root.level
    root.setLevel(logging.DEBUG)
    draw = random.Random(seed)

    async def behave(exchange: Exchange) -> None:
        await draw.choice(_BEHAVIOURS)(exchange)

    try:
        with tempfile.TemporaryDirectory() as apart:
            folders = write_two_folders(Path(apart))
            async with FaultyServer(behave) as away, FaultyServer(behave) as here:
                while leaks.cases < count:
                    addresses = away.base_url, here.base_url
                    await _batch(leaks, draw, folder, addresses, folders)
            for received in away.received:
                leaks.outside.extend(repr(received).encode() + received.body)
            leaks.departed = len(away.received)
    finally:
        root.removeHandler(collector)
        root.setLevel(level)
    _read_all(folder, leaks)
    leaks.logged = len(read_departures(folder / "egress.sqlite3", limit=10**9))
    return leaks


def _read_all(folder: Path, leaks: Leaks) -> None:
    for file in folder.rglob("*"):
        if file.is_file():
            leaks.kept.extend(file.read_bytes())


async def _batch(
    leaks: Leaks,
    draw: random.Random,
    folder: Path,
    addresses: tuple[str, str],
    folders: TwoFolders,
) -> None:
    """Ask some questions of a new router with settings of its own."""
    rules = SensitivityRules(
        privacy_mode=draw.random() < 0.1, patterns=(_PATTERN,), private_files=("internal/",)
    )
    settings = RouterSettings(
        sensitivity=rules,
        redact=draw.random() < 0.3,
        hedge=draw.random() < 0.3,
        max_concurrent=_BATCH,
    )
    egress = Egress(allow=draw.random() < 0.9)
    outside = place(
        "away", addresses[0].replace("127.0.0.1", "0.0.0.0"), egress=egress, billed=True
    )
    inside = place("here", addresses[1], egress=egress)
    places = (outside, inside) if draw.random() < 0.7 else (inside, outside)
    places = (outside,) if draw.random() < 0.1 else places
    cache = AnswerCache(folder / "answers", disk_bytes=100_000_000)
    log = EgressLog(folder / "egress.sqlite3")
    async with routing(
        *places, egress=egress, settings=settings, cache=cache, departures=log
    ) as router:
        cases = [_case(draw, leaks.cases + number, leaks, folders) for number in range(_BATCH)]
        await asyncio.gather(
            *(_ask(router, asked, streamed=draw.random() < 0.3) for asked in cases)
        )
    leaks.cases += len(cases)
    await cache.aclose()
    await log.aclose()
