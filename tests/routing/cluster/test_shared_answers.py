"""Answers over a real Redis: shared if not sensitive, and nobody waits for one that is away."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from coai_routing.cluster.databases import shared
from coai_routing.cluster.shared_answers import PREFIX, RedisAnswers, SharedAnswers
from coai_routing.request import ModelReply
from coai_routing.router.cache import AnswerCache
from tests.support.databases import PASSWORD, redis_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.databases import Server


@pytest.fixture(scope="module")
def redis() -> Iterator[Server]:
    pytest.importorskip("redis")
    with redis_server() as server:
        yield server


def reply(text: str) -> ModelReply:
    return ModelReply(text=text, model="m", provider="p", finish="stop")


def machine(server: Server) -> SharedAnswers:
    store = shared(server.url("0"), "Redis")
    return SharedAnswers(AnswerCache(None), RedisAnswers(store, seconds=60))


async def test_what_one_machine_was_told_another_one_knows(redis: Server) -> None:
    one, other = machine(redis), machine(redis)
    await one.put("k", reply("dear"), sensitive=False, cost=0.01, seconds=1)
    await one.put("secret", reply("dear"), sensitive=True, cost=0.01, seconds=1)
    await one.put("quick", reply("cheap"), sensitive=False, cost=0, seconds=0.01)
    found = [await other.get(key) for key in ("k", "secret", "quick")]
    assert [each and each.text for each in found] == ["dear", None, None]
    assert (await one.get("secret")) is not None, "its own machine knows it"
    for each in (one, other):
        await each.others.aclose()


async def test_what_is_no_answer_is_none(redis: Server) -> None:
    one = machine(redis)
    for content in (b"no json", b'{"text": 1}', b"\x80\x04x."):
        await one.others.client.set(PREFIX + "k2", content)
        assert await one.get("k2") is None
    await one.others.aclose()


async def test_nobody_waits_for_a_redis_that_is_away(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with redis_server() as server:
        one = machine(server)
        await one.put("k", reply("dear"), sensitive=False, cost=0.01, seconds=1)
    other = machine(server)
    calls = 0
    inner = other.others.client.get

    async def counted(key: str) -> bytes:
        nonlocal calls
        calls += 1
        return await inner(key)

    other.others.client.get = counted
    assert [await other.get("k") for _ in range(5)] == [None] * 5
    assert calls == 1, "it is left alone for a while"
    assert PASSWORD not in caplog.text
    assert "does not answer" in caplog.text
    for each in (one, other):
        await each.others.aclose()
