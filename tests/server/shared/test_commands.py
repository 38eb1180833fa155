"""Commands that ask models, by the daemon's models and by their own: the same but for who asks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from coai_routing.errors import NoAnswerError, ReplyCutOffError
from coai_routing.policy.question import Question
from coai_routing.request import Capability, Delta, Message, ModelReply, ModelRequest
from coai_server.shared import shared_router
from coai_server.shared.shared_router import SharedRouter
from tests.server.shared.daemons import NO_SERVERS, User, some_user
from tests.server.test_explanations import local_model, settings_for

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator

    from coai_routing.router.interface import Answers
    from coai_routing.router.router import Routed
    from tests.support.cloud_server import CloudServer

CODE = """import hashlib


def total(items, key):
    return sum(hashlib.md5(item[key]).digest()[0] for item in items)
"""
TRACE = """Traceback (most recent call last):
  File "a.py", line 5, in total
    return sum(hashlib.md5(item[key]).digest()[0] for item in items)
KeyError: 'tea'
"""
DIFF = """--- a/a.py
+++ b/a.py
@@ -4,2 +4,2 @@
 def total(items, key):
-    return 0
+    return sum(hashlib.md5(item[key]).digest()[0] for item in items)
"""
PATIENCE = 60.0


@pytest.fixture(scope="module")
def model() -> Generator[CloudServer]:
    with local_model() as server:
        yield server


@contextmanager
def user_of(model: CloudServer) -> Generator[User]:
    settings = {**NO_SERVERS, **settings_for(model), "COAI_CACHE__ENABLED": "false"}
    with some_user() as user:
        (user.folder / "a.py").write_text(CODE)
        (user.folder / "inner").mkdir()
        (user.folder / "inner" / "b.py").write_text(CODE)
        yield replace(user, settings=settings)


@pytest.fixture(scope="module")
def served(model: CloudServer) -> Generator[User]:
    """Give a user whose daemon runs, for tests that leave it as it is."""
    with user_of(model) as user, user.daemon():
        yield user


@contextmanager
def without(user: User) -> Generator[User]:
    """Give the same user while the daemon's record is away, so that none is found."""
    away = user.place.record.with_suffix(".away")
    user.place.record.rename(away)
    try:
        yield user
    finally:
        away.rename(user.place.record)


@pytest.mark.parametrize(
    ("arguments", "where", "calls"),
    [
        (("explain", "a.py:total", "--json"), (".", ""), 1),
        (("explain", "-"), (".", TRACE), 1),
        (("ask", "What does total do?", "b.py"), ("inner", ""), 1),
        (("review", "-", "--again"), (".", DIFF), 2),
        (("document", "a.py:total"), (".", ""), 2),
        # What a user says on the command line holds there, too.
        (("explain", "a.py:total", "--model", "nobody"), (".", ""), 0),
        (("explain", "missing.py"), (".", ""), 0),
    ],
)
def test_a_command_says_the_same_and_the_daemon_asks(
    served: User, model: CloudServer, arguments: tuple[str, ...], where: tuple[str, str], calls: int
) -> None:
    folder, given = where
    there = replace(served, folder=served.folder / folder)

    def ran() -> tuple[int, int, str, str]:
        before = len(model.requests)
        done = there.coai(*arguments, given=given)
        return len(model.requests) - before, done.returncode, done.stdout, done.stderr

    before = served.status()["served"].get("answer", 0)
    by_daemon = ran()
    asked = served.status()["served"].get("answer", 0) - before
    with without(served):
        alone = ran()
    assert by_daemon == alone
    assert by_daemon[0] == calls
    assert asked >= calls, "it was the daemon that asked"
    assert "daemon" not in by_daemon[3]


def test_a_workflow_asks_by_the_daemon_and_its_run_is_the_users_own(
    served: User, model: CloudServer
) -> None:
    before, asked = len(model.requests), served.status()["served"].get("answer", 0)
    done = served.coai("run", "documentation", "--input", "a.py")
    assert len(model.requests) > before, done.stderr
    assert served.status()["served"]["answer"] - asked >= len(model.requests) - before
    assert "documentation" in served.coai("runs", "list").stdout


def test_other_settings_on_the_command_keep_it_from_the_daemon(
    served: User, model: CloudServer
) -> None:
    before, asked = len(model.requests), served.status()["served"].get("answer", 0)
    done = served.coai("explain", "a.py:total", COAI_ROUTING__HEDGE="true")
    assert (done.returncode, len(model.requests) - before) == (0, 1)
    assert done.stderr.startswith("Works without the daemon: The daemon was started with other")
    assert served.status()["served"].get("answer", 0) == asked


@contextmanager
def begun(user: User, model: CloudServer, *arguments: str) -> Generator[subprocess.Popen[str]]:
    """Give a command whose question the model has begun to answer, and does not go on with."""
    before = len(model.requests)
    model.hold.clear()
    process = subprocess.Popen(
        [sys.executable, "-m", "coai_server", *arguments],
        cwd=user.folder,
        env={**os.environ, **user.environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        until(lambda: len(model.requests) > before)
        yield process
    finally:
        model.hold.set()
        process.kill()
        process.communicate()


def until(holds: Callable[[], Any]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        threading.Event().wait(0.02)


@pytest.mark.skipif(os.name == "nt", reason="there are no such signals")
def test_who_stops_waiting_cancels_what_the_daemon_asks(served: User, model: CloudServer) -> None:
    left = model.left
    with begun(served, model, "explain", "a.py:total") as process:
        until(lambda: served.status()["clients"].get("answer"))
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 130
        until(lambda: not served.status()["clients"])
    until(lambda: model.left > left)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        # Of one that is streamed words may have come already; those are not said twice.
        (("document", "a.py:total"), "Works without the daemon: It broke off"),
        (("explain", "a.py:total"), "broke off"),
    ],
)
def test_a_daemon_that_dies_midway_is_told_of_and_the_command_goes_on(
    model: CloudServer, arguments: tuple[str, ...], said: str
) -> None:
    with user_of(model) as user:
        with user.daemon() as pid, begun(user, model, *arguments) as process:
            os.kill(pid, signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
            model.hold.set()
            out, error = process.communicate(timeout=PATIENCE)
        assert said in out + error
        usual = user.coai(*arguments)
        assert (process.returncode, out.partition("Note")[0]) == (
            usual.returncode,
            usual.stdout.partition("Note")[0],
        )


def question(text: str = "What is it?", alias: str | None = None) -> Question:
    request = ModelRequest(
        capability=Capability.CODE_ANALYSIS,
        messages=(Message(role="user", content=text),),
        timeout=20.0,
    )
    return Question(request, alias=alias)


class Own:
    """A router that says one thing, to tell it from the daemon's."""

    async def answer(self, question: Question) -> Routed:
        raise NoAnswerError(f"own: {question.request.messages[0].content}")

    async def stream(self, question: Question) -> AsyncGenerator[Delta]:
        reply = ModelReply(text="own", finish="stop", model="own", provider="own")
        for delta in (Delta("own"), Delta(reply=reply)):
            yield delta
        del question

    async def models(self, question: Question) -> tuple[str, ...]:
        del question
        return ("own",)


@pytest.fixture
def as_served(served: User, monkeypatch: pytest.MonkeyPatch) -> User:
    """Have this process be that user's."""
    for name, text in served.environment.items():
        monkeypatch.setenv(name, text)
    monkeypatch.chdir(served.folder)
    return served


def router_of(user: User, said: list[str]) -> SharedRouter:
    async def own() -> Answers:
        return Own()

    return SharedRouter(user.folder, own, said.append)


async def test_an_answer_is_streamed_and_its_errors_are_the_routers(
    as_served: User, model: CloudServer
) -> None:
    said: list[str] = []
    router = router_of(as_served, said)
    await router.open()
    deltas = [each async for each in router.stream(question("streamed"))]
    assert "".join(each.text for each in deltas) == model.answer
    assert deltas[-1].reply is not None
    assert deltas[-1].alias
    with pytest.raises(NoAnswerError) as refused:
        await router.answer(question(alias="nobody"))
    assert refused.value.message == "There is no model nobody."
    assert deltas[-1].alias in await router.models(question())
    assert said == []
    router.close()


async def test_a_stream_that_has_begun_is_not_begun_anew(
    model: CloudServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with user_of(model) as user:
        for name, text in user.environment.items():
            monkeypatch.setenv(name, text)
        monkeypatch.chdir(user.folder)
        with user.daemon() as pid:
            model.hold.clear()
            said: list[str] = []
            router = router_of(user, said)
            await router.open()
            stream = router.stream(question("streamed"))
            first = await anext(stream)
            os.kill(pid, signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
            with pytest.raises(ReplyCutOffError) as cut:
                await anext(stream)
            model.hold.set()
        assert (cut.value.partial, said) == (first.text, [])
        assert first.text


@pytest.mark.skipif(os.name == "nt", reason="there are no such signals")
async def test_a_daemon_that_freezes_is_left(
    as_served: User, model: CloudServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_router, "SILENCE_SECONDS", 0.5)
    pid = as_served.status()["pid"]
    said: list[str] = []
    before = router_of(as_served, said)
    midway = router_of(as_served, said)
    await before.open()
    await midway.open()
    model.hold.clear()
    try:
        pieces = midway.stream(question("half"))
        first = await anext(pieces)
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(ReplyCutOffError) as broken:
            await anext(pieces)
        # What was shown cannot be taken back; what was not is asked anew.
        assert broken.value.partial == first.text
        with pytest.raises(NoAnswerError, match="own: whole"):
            await before.answer(question("whole"))
    finally:
        os.kill(pid, signal.SIGCONT)
        model.hold.set()
    assert [each[:37] for each in said] == ["Works without the daemon: It broke off"[:37]]
