"""How many tokens a text is, and that a prompt fits whatever kind of text it is cut from."""

from __future__ import annotations

import json
import random
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from coai_agents.completion.completer import Completer
from coai_agents.completion.outcome import Reason, Suggestion, Trigger
from coai_agents.completion.prompt.tokens import (
    SMALLEST_WINDOW,
    TokenLengths,
    count_tokens,
    count_tokens_at_once,
)
from coai_agents.completion.stop.structure import SyntaxTrees
from coai_routing.errors import PromptTooLongError
from coai_routing.settings.schema import CompletionSettings
from tests.support.scripted import Editor, NoContext, OpenGate, ScriptedBackends

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from coai_routing.pool.backends import Backend
    from coai_routing.request import Delta, ModelRequest

ROWS = "".join(f"    ({i}, {i * 7919 % 1000003}, {i * 104729 % 9999991}),\n" for i in range(200))
OBJECTS = json.dumps([{"id": i, "name": f"n{i}", "ok": True} for i in range(200)])
STYLES = "".join(
    f".c{i} {{ color: #{i * 7919 % 0xFFFFFF:06x}; margin: {i}px; }}\n" for i in range(100)
)
FUNCTIONS = "".join(f"def f{i}(a, b):\n    return a + {i} * b\n\n" for i in range(200))
CHINESE = "数据处理函数返回用户输入的名称和价格。" * 100


@pytest.mark.parametrize(
    ("text", "tokens"),
    [  # counted by Qwen2.5-Coder's own tokenizer (`/tokenize` of llama.cpp)
        (ROWS, 4422),
        (OBJECTS, 4181),
        (STYLES, 2120),
        (FUNCTIONS, 3780),
        (CHINESE, 1100),
    ],
    ids=["numbers", "JSON", "CSS", "Python", "Chinese"],
)
def test_tokens_are_estimated_by_the_kind_of_text(text: str, tokens: int) -> None:
    assert 0.85 * tokens < count_tokens(text) < 1.15 * tokens


def test_a_text_is_counted_piece_by_piece_as_it_is_at_once() -> None:
    chance = random.Random(1)
    alphabet = "aB1_ \t\n\n\r\f\v.,(é数\u2028\xa0"
    for length in range(3000):
        text = "".join(chance.choices(alphabet, k=length % 40))
        assert count_tokens(text) == count_tokens_at_once(text), repr(text)
    for text in (ROWS, OBJECTS, STYLES, FUNCTIONS, CHINESE):
        assert count_tokens(text) == count_tokens_at_once(text)


def backend(window: int = 4096, name: str = "a") -> Backend:
    return replace(ScriptedBackends().candidates()[0], name=name, context_tokens=window)


def too_long(tokens: int | None = None, window: int | None = None) -> PromptTooLongError:
    return PromptTooLongError("no", provider="a", tokens=tokens, window=window)


def test_a_backends_own_counts_correct_the_estimate_for_their_kind_of_text() -> None:
    lengths = TokenLengths()
    bytes_, words = backend(name="bytes"), backend(name="words")
    for _ in range(30):
        lengths.learn(bytes_, "python", count_tokens(FUNCTIONS), len(FUNCTIONS))
    assert lengths.characters_per_token(bytes_, "python", FUNCTIONS) == pytest.approx(1, rel=0.01)
    assert lengths.characters_per_token(bytes_, "sql", FUNCTIONS) < 2, "for want of better"
    assert lengths.tokens(words, "python", FUNCTIONS) == count_tokens(FUNCTIONS)


def test_a_prompt_that_was_cut_silently_tells_the_window() -> None:
    lengths = TokenLengths()
    lengths.learn(backend(32768), "python", count_tokens(FUNCTIONS * 3), 2048)
    assert lengths.window(backend(32768)) == 2048
    assert lengths.tokens(backend(), "python", FUNCTIONS) == count_tokens(FUNCTIONS)


@pytest.mark.parametrize(
    ("error", "window"),
    [
        (too_long(tokens=6000, window=4096), 4096),
        (too_long(window=2048), 2048),
        (too_long(window=7), SMALLEST_WINDOW),
    ],
)
def test_a_window_that_is_told_is_kept_to(error: PromptTooLongError, window: int) -> None:
    lengths = TokenLengths()
    lengths.learn_limit(backend(8192), "python", FUNCTIONS, error)
    assert lengths.window(backend(8192)) == window


def test_without_a_word_the_prompt_gets_shorter_each_time() -> None:
    lengths = TokenLengths()
    windows: list[int] = []
    for _ in range(8):
        lengths.learn_limit(backend(8192), "python", FUNCTIONS, too_long())
        windows.append(lengths.window(backend(8192)))
    assert windows[0] < count_tokens(FUNCTIONS)
    lengths.learn_limit(backend(8192), "python", FUNCTIONS[:200], too_long())
    assert lengths.window(backend(8192)) == SMALLEST_WINDOW


class StrictBackends(ScriptedBackends):
    """Refuses prompts that are longer than its window, and may count on request."""

    def __init__(self, window: int, *, told: bool = True, counts: bool = False) -> None:
        super().__init__(lambda _: "a + b\n")
        self.window = window
        self.told = told
        self.counts = counts
        self.refused = 0

    @staticmethod
    def tokens(text: str) -> int:
        """Count as a vocabulary does that is twice as long as most."""
        return 2 * len(re.findall(r"\d|[A-Za-z_]+|\s+|[^\sA-Za-z\d]", text))

    async def count_tokens(self, backend: Backend, text: str) -> int | None:
        """Count if it can."""
        return self.tokens(text) if self.counts else None

    async def stream(self, backend: Backend, request: ModelRequest) -> AsyncGenerator[Delta]:
        """Refuse what is too long."""
        tokens = self.tokens(request.prompt or "")
        if tokens + request.max_tokens > self.window:
            self.refused += 1
            raise too_long(tokens, self.window) if self.told else too_long()
        async for delta in super().stream(backend, request):
            yield delta


TABLE = "TABLE = [\n" + ROWS * 20 + "]\n"
CODE = FUNCTIONS * 4
TEXTS = {"numbers": TABLE, "functions": CODE, "words": "alpha beta gamma delta\n" * 3000}


@pytest.mark.parametrize("kind", TEXTS, ids=str)
@pytest.mark.parametrize("window", [512, 2048, 4096])
@pytest.mark.parametrize(
    ("told", "counts", "most"), [(True, False, 1), (True, True, 0), (False, False, 5)]
)
async def test_a_prompt_fits_the_window_whatever_is_in_it(
    kind: str, window: int, *, told: bool, counts: bool, most: int
) -> None:
    editor = Editor(TEXTS[kind] + "def add(a, b):\n    return |\n")
    model = StrictBackends(window, told=told, counts=counts)
    settings = CompletionSettings(debounce_ms=0, prefetch=False, target_latency_ms=2000)
    completer = Completer(
        backends=model,  # pyright: ignore[reportArgumentType] (a stand-in)
        settings=lambda _: settings,
        document=editor.document,
        gate=OpenGate(),
        context=NoContext(),
        syntax=SyntaxTrees(),
    )
    outcome = None
    for _ in range(3):
        outcome = await completer.complete(editor.source, editor.offset, Trigger.AUTOMATIC)
        if isinstance(outcome, Suggestion):
            break
        assert outcome.reason is Reason.BACKEND_FAILED
    assert isinstance(outcome, Suggestion)
    assert outcome.text == "a + b"
    # Who counts learns of a window that is smaller than it was said to be all the same.
    assert model.refused <= (most if window == 4096 else max(most, 1))
    await completer.aclose()
