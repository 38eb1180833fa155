"""The door for questions to models in the shared daemon; `shared.questions` has its lines.

A connection has one question. Who closes it does not want the answer any more.
"""

from __future__ import annotations

from contextlib import aclosing, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from coai_routing.background import Background
from coai_routing.errors import CoaiError
from coai_server.shared.connection import one_request
from coai_server.shared.questions import (
    ANSWER,
    MODELS,
    delta_as_json,
    error_as_json,
    read_question,
    routed_as_json,
)
from coai_server.shared.talk import encoded

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from coai_routing.router.interface import Answers
    from coai_server.shared.connection import Common, Connection, Serve

WORKING_SECONDS: Final = 2.0
"""How often a client is told that its question is being worked on."""


@asynccontextmanager
async def opened(common: Common) -> AsyncGenerator[Serve]:
    """Give what answers a connection's question."""
    yield one_request(partial(_served, common))


async def _served(common: Common, connection: Connection, asked: dict[str, Any]) -> None:
    hello, writer = connection.hello, connection.writer
    background = Background()

    async def working() -> None:
        writer.write(encoded({"working": True}))

    background.repeat(working, every=WORKING_SECONDS, name="say that a question is worked on")
    try:
        async with common.models.of(Path(hello.directory)) as models:
            router = (await models.opened(Path(hello.roots[0]))).router
            await _answered(router, connection, asked)
    except CoaiError as error:
        writer.write(encoded({"error": error_as_json(error)}))
    finally:
        await background.aclose()
    await writer.drain()


async def _answered(router: Answers, connection: Connection, asked: dict[str, Any]) -> None:
    question, writer = read_question(asked["question"]), connection.writer
    if asked["wants"] == MODELS:
        writer.write(encoded({"models": list(await router.models(question))}))
        return
    if asked["wants"] == ANSWER:
        writer.write(encoded({"answer": routed_as_json(await router.answer(question))}))
        return
    async with aclosing(router.stream(question)) as deltas:
        async for delta in deltas:
            writer.write(encoded({"piece": delta_as_json(delta)}))
            await writer.drain()
