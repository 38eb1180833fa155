"""Refactorings that a model makes: what of its answers passes, and what does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coai_agents.source import Source, Span
from coai_agents.specialists.asking import Asker, NobodyError, Prompt, Said
from coai_agents.specialists.refactoring.agent import (
    Request,
    kind_named,
    make,
    needs_model,
    summary,
)
from coai_agents.specialists.refactoring.rewriting import MODEL_KINDS
from coai_agents.specialists.refactoring.site import RefusalError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

LONG = "def f(xs):\n    found = []\n    n = 0\n    while n < len(xs):\n        found.append(xs[n])\n        n += 1\n    return found\n"  # noqa: E501 - a program
STUB = 'def area(w, h):\n    """Return the area."""\n    raise NotImplementedError\n'
THEN = "function f(a) {\n  return g(a).then((x) => x + 1);\n}\n"
PLAIN = "def f(a, b=None):\n    return a, b\n"


class Model(Asker):
    """Says what it is told to, one answer after the other; keeps what it was asked."""

    def __init__(self, *answers: str) -> None:
        super().__init__()
        self._answers = list(answers)
        self.prompts: list[Prompt] = []

    async def samples(self, prompt: Prompt, most: int) -> AsyncGenerator[Said]:
        for _ in range(most):
            if not self._answers:
                raise NobodyError("It has nothing more to say.")
            self.prompts.append(prompt)
            yield Said(self._answers.pop(0), "model", local=True)


def request_for(kind: str, text: str, language: str = "python", at: str = "f") -> Request:
    place = text.index(at)
    return Request(kind, Source("file:///w/a", text, language), Span(place, place))


@pytest.mark.parametrize(
    ("kind", "language", "text", "answer", "expected"),
    [
        ("simplify", "python", LONG, "```python\ndef f(xs):\n    return list(xs)\n```",
         "def f(xs):\n    return list(xs)\n"),
        ("implement", "python", STUB, "def area(w, h):\n    return w * h\n",
         'def area(w, h):\n    """Return the area."""\n    return w * h\n'),
        ("comprehension", "python", LONG, "def f(xs):\n    return [x for x in xs]\n",
         "def f(xs):\n    return [x for x in xs]\n"),
        ("async", "javascript", THEN,
         "```js\nasync function f(a) {\n  const x = await g(a);\n  return x + 1;\n}\n```",
         "async function f(a) {\n  const x = await g(a);\n  return x + 1;\n}\n"),
        ("types", "python", PLAIN,
         "def f(a: int, b: str | None = None) -> tuple[int, str | None]:\n    return a, b\n",
         "def f(a: int, b: str | None = None) -> tuple[int, str | None]:\n    return a, b\n"),
        ("types", "typescript", "function f(a, b = 1) {\n  return a;\n}\n",
         "function f(a: string, b: number = 1): string {\n  return a;\n}\n",
         "function f(a: string, b: number = 1): string {\n  return a;\n}\n"),
        ("implement", "go", 'package a\n\nfunc f(a int) int {\n\tpanic("not implemented")\n}\n',
         "func f(a int) int {\n\treturn a * 2\n}\n",
         "package a\n\nfunc f(a int) int {\n\treturn a * 2\n}\n"),
    ],
)  # fmt: skip
async def test_an_answer_that_holds_is_taken(
    kind: str, language: str, text: str, answer: str, expected: str
) -> None:
    asked = request_for(kind, text, language, "area" if "area" in text else "f(")
    made = await make(asked, Model(answer))
    assert made.change.after.text == expected
    assert made.by_model
    assert made.by == "model"
    assert "tests" in made.note


@pytest.mark.parametrize(
    ("kind", "text", "answer"),
    [
        ("simplify", LONG, "I would not change it."),
        ("simplify", LONG, "def g(xs):\n    return list(xs)\n"),
        ("simplify", LONG, "def f(ys):\n    return list(ys)\n"),
        ("simplify", LONG, "def f(xs):\n    return list(xs\n"),
        ("simplify", LONG, "def f(xs):\n    return unknown_name(xs)\n"),
        ("simplify", LONG, "def f(xs):\n    return xs[1:]\n"),
        ("simplify", LONG, LONG),
        ("simplify", LONG, LONG.replace("n = 0", "n = 0\n    m = 1\n    m += 1")),
        ("implement", STUB, "def area(w, h):\n    raise NotImplementedError\n"),
        ("implement", STUB, "def area(w, h):\n    pass\n"),
        ("implement", STUB, "def area(w, h):\n    return eval(w) * h\n"),
        ("comprehension", LONG, LONG.replace("found", "kept")),
        ("types", PLAIN, "def f(a: int, b: str = '') -> int:\n    return a, b\n"),
        ("types", PLAIN, "def f(a: int, c=None):\n    return a, c\n"),
        ("types", PLAIN, "def f(a: Missing, b=None):\n    return a, b\n"),
    ],
)  # fmt: skip
async def test_an_answer_that_does_not_hold_is_no_change(kind: str, text: str, answer: str) -> None:
    at = "area" if "area" in text else "f("
    with pytest.raises(RefusalError):
        await make(request_for(kind, text, at=at), Model(answer, answer, answer, answer))


async def test_the_first_answer_that_passes_wins_and_no_more_are_asked_for() -> None:
    model = Model("nothing", "def f(xs):\n    return list(xs)\n", "def f(xs):\n    return xs\n")
    asked = request_for("simplify", LONG, at="f(")
    made = await make(asked, model)
    assert "list(xs)" in made.change.after.text
    assert len(model.prompts) == 2
    assert len({each.about for each in model.prompts}) == 1


async def test_what_is_implemented_is_not_implemented_again() -> None:
    model = Model("def f(xs):\n    return 1\n")
    with pytest.raises(RefusalError, match="implemented already"):
        await make(request_for("implement", LONG, at="f("), model)
    assert not model.prompts


async def test_a_name_is_a_models_and_its_places_are_the_programs() -> None:
    text = "def f(a):\n    x = a * 7\n    return f'{x}', lambda: x\n"
    made = await make(request_for("rename", text, at="x ="), Model("days since", "a", "days"))
    assert made.change.after.text == text.replace("x = a", "days = a").replace(
        "{x}", "{days}"
    ).replace(": x", ": days")
    assert made.by_model


async def test_what_syntax_decides_asks_nobody() -> None:
    text = "def f(a):\n    xs = []\n    for x in a:\n        xs.append(x)\n    return xs\n"
    asked = request_for("comprehension", text, at="for x")
    assert not needs_model(asked)
    model = Model()
    made = await make(asked, model)
    assert not made.by_model
    assert not model.prompts


async def test_without_a_model_the_reason_is_said() -> None:
    with pytest.raises(RefusalError, match="none is wanted"):
        await make(request_for("simplify", LONG, at="f("), Asker())
    with pytest.raises(RefusalError, match="extract-variable"):
        await make(request_for("unheard-of", LONG, at="f("), Asker())


@pytest.mark.parametrize("name", ["f-string", "extract_method", "Invert-If", "ternary-to-if"])
def test_other_tools_names_are_understood(name: str) -> None:
    assert kind_named(name) in {each for each, _, _ in summary()}


def test_every_kind_is_listed_once() -> None:
    names = [name for name, _, _ in summary()]
    assert len(names) == len(set(names))
    assert set(MODEL_KINDS) <= set(names)
