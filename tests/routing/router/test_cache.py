"""Answers that are kept: where, how long, and never what is sensitive on disk."""

from __future__ import annotations

import pickle  # to put something into a file that must not be unpickled
import sqlite3
import stat
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

import pytest

from coai_routing.request import ModelReply, Usage
from coai_routing.router.cache import SCHEMA, AnswerCache, DiskAnswers, worth_a_disk, worth_keeping
from coai_routing.router.model_call import cache_key
from tests.routing.providers.dialects import LLAMA_SERVER
from tests.support.faulty_server import FaultyServer, stream
from tests.support.routing import place, question, routing

if TYPE_CHECKING:
    from pathlib import Path

GOOD = stream([LLAMA_SERVER.piece("good"), *LLAMA_SERVER.last], LLAMA_SERVER.content_type)


def reply(text: str = "an answer", finish: Literal["stop", "length"] = "stop") -> ModelReply:
    usage = Usage(prompt_tokens=3, cached_tokens=1, output_tokens=2)
    return ModelReply(text=text, finish=finish, model="m", provider="p", usage=usage)


async def keep(cache: AnswerCache, key: str, *, sensitive: bool = False, cost: float = 1.0) -> None:
    await cache.put(key, reply(key), sensitive=sensitive, cost=cost, seconds=0.0)


async def test_what_is_kept_is_found_again_also_by_the_next_process(tmp_path: Path) -> None:
    cache = AnswerCache(tmp_path / "answers")
    assert await cache.get("a") is None
    await keep(cache, "a")
    assert await cache.get("a") == reply("a")
    await cache.aclose()
    later = AnswerCache(tmp_path / "answers")
    assert await later.get("a") == reply("a")
    assert (await later.state()).hits_disk == 1
    assert await later.get("a") == reply("a")
    state = await later.state()
    assert (state.hits_memory, state.memory_entries, state.disk_entries) == (1, 1, 1)
    assert await later.clear() == 1
    assert await later.get("a") is None
    await later.aclose()


async def test_memory_forgets_by_time_and_by_number(tmp_path: Path) -> None:
    now = [0.0]
    cache = AnswerCache(None, entries=2, seconds=10.0, clock=lambda: now[0])
    for key in "abc":
        await keep(cache, key)
    assert await cache.get("a") is None
    assert await cache.get("c") is not None
    now[0] = 11.0
    assert await cache.get("c") is None
    assert (await cache.state()).directory is None
    assert await AnswerCache(tmp_path, disk_bytes=0).clear() == 0
    await cache.aclose()


@pytest.mark.parametrize(("keep_sensitive", "entries"), [(False, 0), (True, 1)])
async def test_sensitive_answers_are_on_disk_only_if_the_user_says_so(
    tmp_path: Path, keep_sensitive: bool, entries: int
) -> None:
    cache = AnswerCache(tmp_path / "answers", keep_sensitive=keep_sensitive)
    await keep(cache, "a", sensitive=True)
    assert await cache.get("a") is not None
    assert (await cache.state()).disk_entries == entries
    await cache.aclose()


def test_what_is_worth_keeping() -> None:
    assert worth_keeping(reply())
    assert not worth_keeping(reply(" \n"))
    assert not worth_keeping(reply(finish="length"))
    assert worth_a_disk(reply(), cost=0.001, seconds=0.0)
    assert worth_a_disk(reply(), cost=0.0, seconds=1.0)
    assert not worth_a_disk(reply(), cost=0.0, seconds=0.01)


async def test_an_answer_that_was_cut_short_is_not_kept(tmp_path: Path) -> None:
    cache = AnswerCache(tmp_path)
    await cache.put("a", reply(finish="length"), sensitive=False, cost=1.0, seconds=9.0)
    assert await cache.get("a") is None
    await cache.aclose()


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX's")
async def test_only_the_user_can_read_it(tmp_path: Path) -> None:
    directory = tmp_path / "answers"
    directory.mkdir(mode=0o755)
    cache = AnswerCache(directory)
    await keep(cache, "a")
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    await cache.aclose()


def of_another_version(directory: Path) -> None:
    directory.mkdir()
    (directory / "coai-answers-version").write_text(str(SCHEMA + 1))


def somebody_elses(directory: Path) -> None:
    directory.mkdir()
    (directory / "thesis.tex").write_text("do not delete")


def damaged(directory: Path) -> None:
    answers = DiskAnswers(directory, 10_000_000)
    answers.put("a", reply())
    answers.close()
    (directory / "cache.db").write_bytes(b"SQLite format 3\0" + b"garbage" * 500)
    for log in directory.glob("cache.db-*"):
        log.unlink()


@pytest.mark.parametrize("spoil", [of_another_version, somebody_elses, damaged])
def test_what_is_damaged_or_foreign_is_set_aside(
    tmp_path: Path, spoil: object, caplog: pytest.LogCaptureFixture
) -> None:
    directory = tmp_path / "answers"
    assert callable(spoil)
    spoil(directory)
    answers = DiskAnswers(directory, 10_000_000)
    assert answers.get("a") is None
    answers.put("b", reply())
    assert answers.get("b") == reply()
    answers.close()
    (aside,) = tmp_path.glob("answers.set-aside-*")
    assert any(aside.iterdir())
    assert "was set aside" in caplog.text


def test_few_are_kept_of_those_set_aside(tmp_path: Path) -> None:
    for _ in range(4):
        somebody_elses(tmp_path / "answers")
        answers = DiskAnswers(tmp_path / "answers", 10_000_000)
        answers.get("a")
        answers.close()
        answers.directory.rename(tmp_path / "gone")
        for file in (tmp_path / "gone").iterdir():
            file.unlink()
        (tmp_path / "gone").rmdir()
    assert len(list(tmp_path.glob("answers.set-aside-*"))) == 2


def test_a_place_that_cannot_be_written_keeps_nothing_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    answers = DiskAnswers(tmp_path / "file" / "answers", 10_000_000)
    assert answers.get("a") is None
    answers.put("a", reply())
    assert answers.measure() == (0, 0)
    assert caplog.text.count("Nothing is kept on disk") == 1


class Bomb:
    """Says when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return pytest.fail, ("something of the cache was unpickled",)


def test_nothing_is_ever_unpickled(tmp_path: Path) -> None:
    directory = tmp_path / "answers"
    answers = DiskAnswers(directory, 10_000_000)
    answers.put("a", reply())
    answers.close()
    with sqlite3.connect(directory / "cache.db") as database:
        database.execute(
            "UPDATE Cache SET mode = 4, value = ?", (sqlite3.Binary(pickle.dumps(Bomb())),)
        )
    database.close()
    again = DiskAnswers(directory, 10_000_000)
    assert again.get("a") is None
    again.close()


def test_a_value_of_another_form_is_no_answer(tmp_path: Path) -> None:
    answers = DiskAnswers(tmp_path / "answers", 10_000_000)
    answers.put("a", reply())
    answers.close()
    diskcache: Any = import_module("diskcache")  # it has no types
    other = diskcache.Cache(str(tmp_path / "answers"))
    other.set("a", b'{"odd": 1}')
    other.close()
    again = DiskAnswers(tmp_path / "answers", 10_000_000)
    assert again.get("a") is None
    again.close()


def test_everything_that_determines_an_answer_is_in_its_key() -> None:
    base = question("a")
    same = question("a")
    different = [
        question("b"),
        question("a", max_tokens=9),
        question("a", temperature=0.5),
        question("a", stop=("x",)),
        question("a", json_schema={"type": "object"}),
        question("a", sensitive=True),
        question("a", capability="performance"),
        question("a", messages=(), prompt="a"),
    ]
    assert cache_key(base, None) == cache_key(same, None)
    keys = {cache_key(one, None) for one in (base, *different)}
    assert len(keys) == len(different) + 1


async def test_the_router_answers_a_repeated_question_without_a_model(tmp_path: Path) -> None:
    cache = AnswerCache(tmp_path / "answers")
    async with (
        FaultyServer(GOOD) as server,
        routing(place("a", server.base_url), cache=cache) as router,
    ):
        first = await router.answer(question())
        again = await router.answer(question())
        assert (first.source, again.source) == ("model", "cache")
        assert first.text == again.text
        pieces = [delta async for delta in router.stream(question())]
        assert pieces[0].text == "good"
        assert pieces[-1].reply == first.reply
        assert len(server.received) == 1
        fresh = question(cached=False)
        assert (await router.answer(fresh)).source == "model"
        warm = question(temperature=0.7)
        assert (await router.answer(warm)).source == "model"
        assert (await router.answer(warm)).source == "model"
    await cache.aclose()
