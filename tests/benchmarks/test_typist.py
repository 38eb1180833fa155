"""Replayed typing: what is typed, when, and what is made of the answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from benchmarks.support.counting_proxy import Call
from benchmarks.support.replay import Limits, Moment, joined, tell_origins
from benchmarks.support.typing_figures import Side, tokens_by_keystroke
from benchmarks.support.typist import Passage, Stroke, Typist
from benchmarks.typing import limits_like, passages

from coai_routing.errors import CoaiError

if TYPE_CHECKING:
    from pathlib import Path

TEXT = "\n    total = sum(prices)\n    return total * rate  # by then\n" * 6


def typed(text: str, *, seed: int, shown: str = "") -> tuple[str, list[Stroke]]:
    """Type a text; return what stands there in the end."""
    typist = Typist(text, seed=seed)
    document, strokes = "", list[Stroke]()
    while not typist.done:
        after, pauses = typist.pause()
        offered = shown if typist.remaining.startswith(shown) else ""
        stroke = typist.stroke(offered, after, pauses=pauses)
        document = document[: len(document) - stroke.delete] + stroke.text
        strokes.append(stroke)
    return document, strokes


@pytest.mark.parametrize("seed", range(5))
def test_what_is_typed_is_the_text_whatever_mistakes_were_made(seed: int) -> None:
    document, strokes = typed(TEXT, seed=seed)
    assert document == TEXT
    assert any(stroke.delete for stroke in strokes)
    assert not any(stroke.accepts for stroke in strokes)


def test_typing_repeats_with_its_seed() -> None:
    assert typed(TEXT, seed=3) == typed(TEXT, seed=3)
    assert typed(TEXT, seed=3) != typed(TEXT, seed=4)


def test_the_rhythm_is_that_of_eight_characters_a_second() -> None:
    _, strokes = typed(TEXT * 20, seed=0)
    burst = [stroke.after for stroke in strokes if not stroke.pauses]
    assert sum(burst) / len(burst) == pytest.approx(1 / 8, rel=0.05)


def test_a_line_end_and_its_indentation_are_one_keystroke() -> None:
    _, strokes = typed("a\n    b", seed=1)
    assert "\n    " in [stroke.text for stroke in strokes]


def test_most_suggestions_of_what_comes_are_accepted_and_each_is_decided_once() -> None:
    document, strokes = typed(TEXT * 10, seed=0, shown="total * rate")
    assert document == TEXT * 10
    accepted = sum(stroke.accepts for stroke in strokes)
    assert 30 <= accepted < 60


def test_a_suggestion_of_something_else_is_not_accepted() -> None:
    typist = Typist("abcdef", seed=0)
    assert not typist.stroke("abcxyz", 0.1, pauses=False).accepts


def test_a_passage_is_cut_out_at_line_ends(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text("".join(f"line {number}\r\n" for number in range(40)), encoding="utf-8")
    passage = Passage.of(file, "python", characters=50)
    whole = passage.before + passage.text + passage.after
    assert whole == "".join(f"line {number}\n" for number in range(40))
    assert passage.text.startswith("\nline ")
    assert passage.after.startswith("\n")


def test_there_are_files_to_type_in() -> None:
    found = passages(characters=100, count=3)
    assert len(found) == 3
    assert all(len(passage.text) >= 50 for passage in found)


def moment(line: int, text: str = "", *, at: float = 0.0, identity: int | None = None) -> Moment:
    stroke = Stroke(0.1, pauses=False, text="x")
    return Moment(stroke, at, line, answered=at + 0.1, text=text, identity=identity)


def event(line: int, origin: str = "", *, reason: str = "", identity: int = 1) -> dict[str, Any]:
    if reason:
        return {"kind": "none", "line": line, "reason": reason}
    return {
        "kind": "suggestion",
        "line": line,
        "identity": identity,
        "origin": origin,
        "evaluatedTokens": 1,
    }


def test_origins_are_told_although_cancelled_and_crossed_answers_lie_between() -> None:
    answers = [
        moment(1, "a", identity=1),
        moment(2),
        moment(3, "b", identity=3),
        moment(3, "c", identity=4),
        moment(4, "d", identity=5),
    ]
    tell_origins(
        answers,
        [
            event(1, reason="cancelled"),
            event(1, "model", identity=1),
            event(1, "shown", identity=1),
            event(2, reason="superseded"),
            event(2, "model", identity=2),
            event(3, "cache", identity=3),
            event(3, "joined", identity=4),
        ],
    )
    assert [answer.origin for answer in answers] == ["model", "", "cache", "joined", ""]
    assert [answer.evaluated for answer in answers] == [1, 0, 1, 1, 0]


def test_histories_that_overlap_are_joined() -> None:
    first, second, third = event(1, "a"), event(2, "b"), event(3, "c")
    assert joined([first, second], [first, second, third]) == [first, second, third]
    assert joined([], [first]) == [first]
    assert joined([first], [third]) == [first, third]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("short", "short"), ("one\ntwo\nthree", "three"), ("one line that is long", "t is long")],
)
def test_the_plain_client_sends_whole_lines_where_it_can(text: str, expected: str) -> None:
    assert Limits(prefix=9, suffix=5, tokens=8).prefix_of(text) == expected


def call(prompt: str, *, at: float = 0.0, processed: int = 0, reads_ahead: bool = False) -> Call:
    return Call(at, prompt, "", reads_ahead=reads_ahead, processed=processed)


def test_the_plain_client_gets_prompts_of_the_same_size() -> None:
    prompt = f"<|fim_prefix|>{'a' * 500}<|fim_suffix|>{'b' * 70}<|fim_middle|>typed"
    limits = limits_like([call(prompt), call("x", reads_ahead=True)])
    assert (limits.prefix, limits.suffix) == (500 + len("<|fim_prefix|>") + len("typed"), 70)
    with pytest.raises(CoaiError, match="did not ask"):
        limits_like([])


def test_tokens_belong_to_the_keystroke_before_them() -> None:
    side = Side(
        moments=[moment(1, at=1), moment(1, at=2), moment(1, at=3)],
        calls=[call("", at=0.5, processed=9), call("", at=1.1, processed=3),
               call("", at=1.9, processed=2), call("", at=3.5, processed=1)],
        evaluated=15,
        seconds=4,
    )  # fmt: skip
    assert tokens_by_keystroke(side) == [5, 0, 1]
