"""What a model that predicts edits is shown, by the rules of what may be shown and leave."""

from __future__ import annotations

import asyncio
from random import Random
from string import ascii_letters, digits
from typing import TYPE_CHECKING, Final

import pytest

from coai_agents.changes.bursts import Settled
from coai_agents.changes.prediction.predicting import Predictor
from coai_agents.source import Source
from coai_routing.errors import EgressRefusedError
from coai_routing.pool.backends import Editor
from coai_routing.registry.next_edit import next_edit_family
from coai_routing.request import Delta, ModelReply

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from typing import Literal

    from coai_agents.context.selection import ContextFile
    from coai_routing.request import ModelRequest

NOW: Final = Source("file:///work/app.py", "a = total(1, tax=2)\nb = total(2)\n", "python")
BEFORE: Final = Source("file:///work/app.py", "a = total(1)\nb = total(2)\n", "python")
WANTED: Final = "a = total(1, tax=2)\nb = total(2, tax=2)\n"
OWN: Final = Settled(BEFORE, NOW)


def elsewhere(name: str, text: str = "c = total(3)") -> Settled:
    uri = f"file:///work/{name}"
    return Settled(Source(uri, f"{text}\n", "python"), Source(uri, f"{text}, tax\n", "python"))


class Models:
    """One model that answers always the same."""

    def __init__(
        self,
        *,
        local: bool = True,
        window: int = 8192,
        finish: Literal["stop", "length", "unknown"] = "stop",
    ) -> None:
        family = next_edit_family("sweep-next-edit-1.5b")
        assert family is not None
        self._editor = Editor("server", "sweep", "http://127.0.0.1:1", family, window, local)
        self._finish: Literal["stop", "length", "unknown"] = finish
        self.asked: list[ModelRequest] = []

    def editor(self) -> Editor | None:
        return self._editor

    async def stream(self, backend: Editor, request: ModelRequest) -> AsyncGenerator[Delta]:
        del backend
        self.asked.append(request)
        yield Delta(f"\n{WANTED}")
        yield Delta(
            reply=ModelReply(text=WANTED, finish=self._finish, model="sweep", provider="server")
        )


class Gate:
    """Lets through what is not named."""

    def __init__(self, *stay: str) -> None:
        self._stay = stay
        self.judged: list[str] = []

    async def check(self, source: Source, above: str, *, backend: str) -> None:
        del above
        self.judged.append(source.uri)
        if source.uri.endswith(self._stay or ("nothing",)):
            raise EgressRefusedError("It must stay here.", provider=backend)

    async def permitted(
        self, source: Source, files: Sequence[ContextFile], *, backend: str
    ) -> tuple[ContextFile, ...]:
        del source, backend
        self.judged += [file.origin for file in files]
        return tuple(file for file in files if not file.origin.endswith(self._stay or ("nothing",)))


async def refused(uri: str) -> str | None:
    return "excluded" if "secret" in uri else None


def predictor(models: Models, gate: Gate | None = None) -> Predictor:
    return Predictor(models, gate or Gate(), lambda source: source.uri[13:], refused)


async def test_a_model_here_sees_the_last_edits_but_not_those_that_are_excluded() -> None:
    models, gate = Models(), Gate()
    edits = (elsewhere("other.py"), elsewhere("secret.py"), OWN)
    found = await predictor(models, gate).predict(NOW, len(NOW.text) - 2, edits, seconds=1.0)
    assert found is not None
    assert found.place.text == "b = total(2, tax=2)"
    (asked,) = models.asked
    assert asked.prompt is not None
    assert "other.py.diff" in asked.prompt
    assert "secret.py" not in asked.prompt
    assert gate.judged == []


async def test_before_anything_leaves_each_piece_is_judged_by_its_own_file() -> None:
    models, gate = Models(local=False), Gate("private.py")
    edits = (elsewhere("private.py"), elsewhere("other.py"), OWN)
    assert await predictor(models, gate).predict(NOW, 0, edits, seconds=1.0)
    assert gate.judged == [NOW.uri, *(each.after.uri for each in edits)]
    (asked,) = models.asked
    assert asked.prompt is not None
    assert "private.py" not in asked.prompt
    assert not asked.sensitive


async def test_what_was_taken_out_and_must_stay_is_not_shown_as_what_was_there() -> None:
    class Removed(Gate):
        async def permitted(
            self, source: Source, files: Sequence[ContextFile], *, backend: str
        ) -> tuple[ContextFile, ...]:
            del source, backend
            return tuple(file for file in files if "customer" not in file.text)

    models = Models(local=False)
    before = Source(NOW.uri, NOW.text.replace("tax=2", "customer"), "python")
    await predictor(models, Removed()).predict(NOW, 0, (Settled(before, NOW),), seconds=1.0)
    (asked,) = models.asked
    assert asked.prompt is not None
    assert "customer" not in asked.prompt


async def test_a_document_that_must_stay_asks_nobody_elsewhere() -> None:
    models = Models(local=False)
    found = await predictor(models, Gate("app.py")).predict(NOW, 0, (OWN,), seconds=1.0)
    assert found is None
    assert models.asked == []


async def test_what_holds_a_secret_is_marked_as_sensitive_for_who_is_elsewhere() -> None:
    drawn = Random(7)
    password = "".join(drawn.choices(ascii_letters + digits, k=32))
    models = Models(local=False)
    edits = (elsewhere("other.py", f"database_password = '{password}'"), OWN)
    await predictor(models).predict(NOW, 0, edits, seconds=1.0)
    assert [asked.sensitive for asked in models.asked] == [True]


async def test_the_oldest_edits_give_way_where_the_window_is_small() -> None:
    models = Models(window=280)
    edits = (*(elsewhere(f"m{number}.py") for number in range(5)), OWN)
    assert await predictor(models).predict(NOW, 0, edits, seconds=1.0)
    (asked,) = models.asked
    assert asked.prompt is not None
    assert "app.py.diff" in asked.prompt
    assert "m0.py" not in asked.prompt


async def test_a_window_without_room_for_the_lines_is_not_asked() -> None:
    models = Models(window=130)
    assert await predictor(models).predict(NOW, 0, (OWN,), seconds=1.0) is None
    assert models.asked == []


async def test_lines_that_nobody_writes_are_not_shown() -> None:
    models = Models(window=1_000_000)
    long = Source(NOW.uri, f"a = '{'x' * 20_000}'\n", "python")
    assert await predictor(models).predict(long, 0, (OWN,), seconds=1.0) is None
    assert models.asked == []


async def test_an_answer_that_did_not_end_is_nothing_and_nobody_is_asked_again() -> None:
    models = Models(finish="length")
    asking = predictor(models)
    for _ in range(2):
        assert await asking.predict(NOW, 0, (OWN,), seconds=1.0) is None
    assert len(models.asked) == 1
    assert asking.known(NOW) is None


async def test_without_an_edit_nobody_is_asked() -> None:
    models = Models()
    assert await predictor(models).predict(NOW, 0, (), seconds=1.0) is None
    assert models.asked == []


class SlowModels(Models):
    """A model that has not answered yet."""

    def __init__(self) -> None:
        super().__init__()
        self.started, self.ended = asyncio.Event(), 0

    async def stream(self, backend: Editor, request: ModelRequest) -> AsyncGenerator[Delta]:
        self.started.set()
        try:
            await asyncio.Event().wait()
            async for delta in super().stream(backend, request):
                yield delta
        finally:
            self.ended += 1


async def test_a_keystroke_ends_what_is_being_asked() -> None:
    models = SlowModels()
    asking = predictor(models)
    waiting = asyncio.create_task(asking.predict(NOW, 0, (OWN,), seconds=1.0))
    await models.started.wait()
    asking.changed()
    assert await waiting is None
    assert models.ended == 1


async def test_the_next_question_ends_the_one_before() -> None:
    models = SlowModels()
    asking = predictor(models)
    first = asyncio.create_task(asking.predict(NOW, 0, (OWN,), seconds=1.0))
    await models.started.wait()
    models.started.clear()
    second = asyncio.create_task(asking.predict(NOW, len(NOW.text), (OWN,), seconds=1.0))
    await models.started.wait()
    assert await first is None
    assert models.ended == 1
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    assert models.ended == 2
