"""Which specialists a request is for: floors on labelled requests, and the kinds by name."""

from __future__ import annotations

import pytest
from benchmarks.choosing import HELD_OUT, MORE, REQUESTS, halves, judge, read_requests

from coai_agents.specialists.choosing.tree import Aspect, choose

TRAINING, TEST = halves(read_requests(REQUESTS))

TRACE = (
    "Traceback (most recent call last):\n"
    '  File "shop.py", line 3, in total\n    return price.amount\n'
    "AttributeError: 'NoneType' object has no attribute 'amount'"
)


@pytest.mark.parametrize(
    ("part", "exact"),
    [
        (TRAINING + read_requests(MORE), 0.97),
        (TEST, 0.9),
        # What to expect of requests in nobody's mind when the words were written.
        (read_requests(HELD_OUT), 0.7),
    ],
    ids=["training", "test", "held out"],
)
def test_the_labelled_aspects_are_chosen(part: list[object], exact: float) -> None:
    assert judge(part).exact >= exact  # pyright: ignore[reportArgumentType] (parametrized)


@pytest.mark.parametrize("part", [TRAINING, TEST], ids=["training", "test"])
def test_every_aspect_is_labelled_and_chosen(part: list[object]) -> None:
    chosen = judge(part).taken  # pyright: ignore[reportArgumentType] (parametrized)
    assert {made for _, made in chosen} == {label for label, _ in chosen} == set(Aspect)


def test_there_are_enough_requests_and_each_is_there_once() -> None:
    texts = [one.text for path in (REQUESTS, MORE, HELD_OUT) for one in read_requests(path)]
    assert len(texts) == len(set(texts)) >= 400


@pytest.mark.parametrize(
    ("request_", "aspects"),
    [
        (TRACE, "error"),
        (f"why?\n{TRACE}", "error"),
        (f"{TRACE}\nAnd is there a security hole, too?", "error security"),
        ("@@ -1,2 +1,2 @@\n-a = 1\n+a = 2\nwell?", "review"),
        ("security of performance.py", "security"),
        ("what is in docs/security.md", "question"),
        ("what does `optimize` do", "question"),
        ("", "question"),
        ("?!", "question"),
        *((each * 10_000, "question") for each in ("x", "x-", "\n", "-1", "why do ", "a/b.c.d/")),
        ("review cart.py and write its docstrings", "review documentation"),
        ("PLEASE RENAME THIS", "code"),
    ],
)
def test_what_is_pasted_and_named_is_told_from_what_is_asked(request_: str, aspects: str) -> None:
    choice = choose(request_)
    assert " ".join(choice.aspects) == aspects
    assert choice.why
    assert choice.is_several == (" " in aspects)
