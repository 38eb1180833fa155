"""The log of what left: written before anything leaves, and without what it said."""

from __future__ import annotations

import stat
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from coai_routing.errors import EgressLogError, NoAnswerError
from coai_routing.privacy.departures import EgressLog, location, read_departures
from coai_routing.privacy.egress import Egress
from coai_routing.router.calls import Departure
from tests.routing.providers.dialects import LLAMA_SERVER
from tests.support.faulty_server import FaultyServer, stream
from tests.support.routing import place, question, routing

if TYPE_CHECKING:
    from pathlib import Path

GOOD = stream([LLAMA_SERVER.piece("good"), *LLAMA_SERVER.last], LLAMA_SERVER.content_type)
DEPARTURE = Departure(
    host="https://api.example.org/v1",
    endpoint="example",
    model="m",
    capability="code_analysis",
    content_bytes=7,
    why="allowed",
)


def test_departures_are_read_newest_first(tmp_path: Path) -> None:
    log = EgressLog(tmp_path / "state" / "egress.sqlite3")
    assert read_departures(log.path) == ()
    for number in range(5):
        log.write(replace(DEPARTURE, content_bytes=number))
    found = read_departures(log.path, limit=3)
    assert [one.content_bytes for one in found] == [4, 3, 2]
    assert found[0].host == "api.example.org"
    assert found[0].at.tzinfo is not None
    if sys.platform != "win32":
        assert stat.S_IMODE(log.path.stat().st_mode) == 0o600
    assert location().name == "egress.sqlite3"


async def test_without_a_log_nothing_leaves(tmp_path: Path) -> None:
    (tmp_path / "egress.sqlite3").write_bytes(b"no database at all" * 100)
    log = EgressLog(tmp_path / "egress.sqlite3")
    async with FaultyServer(GOOD) as server:
        away = place("away", server.base_url.replace("127.0.0.1", "0.0.0.0"))
        async with routing(away, departures=log) as router:
            with pytest.raises(NoAnswerError) as caught:
                await router.answer(question())
        assert "cannot be used" in caught.value.explanation()
        assert not server.received
        async with routing(place("here", server.base_url), departures=log) as router:
            assert (await router.answer(question())).text == "good"
    with pytest.raises(EgressLogError):
        read_departures(log.path)
    await log.aclose()


async def test_what_leaves_is_logged_and_what_stays_is_not(tmp_path: Path) -> None:
    log = EgressLog(tmp_path / "egress.sqlite3")
    async with FaultyServer(GOOD) as server:
        address = server.base_url.replace("127.0.0.1", "0.0.0.0")
        trusting = Egress(allow=True, trusted_hosts=frozenset({"0.0.0.0"}))
        away = place("away", address, egress=trusting)
        async with routing(away, place("here", server.base_url), departures=log) as router:
            await router.answer(question("plain words"))
            await router.answer(question("to ada@engines.io"))
        trusted = replace(away, local=True)
        async with routing(trusted, egress=trusting, departures=log) as router:
            await router.answer(question("to ada@engines.io again"))
    trusted_one, plain = read_departures(log.path)
    assert plain.content_bytes == len("plain words")
    assert "nothing sensitive was found" in plain.why
    assert "trusts this host" in trusted_one.why
    assert b"plain words" not in log.path.read_bytes()
    await log.aclose()
