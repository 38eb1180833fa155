"""Pause, budget and prompt sessions: pure functions, as tables."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coai_agents.completion.cursor import Cursor
from coai_agents.completion.debounce import LONGEST_MS, Rhythm, delay_ms
from coai_agents.completion.prompt.budget import (
    FEWEST_TOKENS,
    MOST_TOKENS,
    PATIENT_FACTOR,
    Budget,
    prompt_budget,
    share_out,
)
from coai_agents.completion.prompt.prompt_session import LONGEST_TAIL, PromptSession, freeze, move
from coai_agents.context.selection import ContextFile
from coai_routing.registry.catalog import load_catalog

URI = "file:///a.py"
FIM = load_catalog().families[0].fim


def typing(*times: float) -> Rhythm:
    rhythm = Rhythm()
    for time in times:
        rhythm = rhythm.keystroke(time)
    return rhythm


def test_the_rhythm_is_the_running_mean_of_a_burst() -> None:
    assert typing(0).mean_interval_ms is None
    assert typing(0, 100).mean_interval_ms == 100
    assert typing(0, 100, 200).mean_interval_ms == 100
    assert typing(0, 100, 5000, 5100).mean_interval_ms == 100


@pytest.mark.parametrize(
    ("rhythm", "last", "expected"),
    [
        (Rhythm(), "x", 0),
        (typing(0, 100), "x", 60),
        (typing(0, 100), "(", 0),
        (typing(0, 100), "\n", 0),
        (typing(0, 590), "x", LONGEST_MS),
    ],
)
def test_a_pause_is_made_within_words_of_a_burst(
    rhythm: Rhythm, last: str, expected: float
) -> None:
    assert delay_ms(rhythm, last_character=last, expected_latency_ms=None) == expected


def test_the_user_may_fix_the_pause() -> None:
    fixed = delay_ms(typing(0, 100), last_character="(", expected_latency_ms=9, fixed_ms=40)
    assert fixed == 40


def test_who_takes_suggestions_waits_less() -> None:
    def pause(acceptance: float) -> float:
        return delay_ms(
            typing(0, 100), last_character="x", expected_latency_ms=None, acceptance=acceptance
        )

    assert pause(1.0) < pause(0.5) < pause(0.0)


def test_a_slow_backend_is_asked_later() -> None:
    assert delay_ms(typing(0, 100), last_character="x", expected_latency_ms=600) == 110


def budget(speed: float | None, **changes: float | bool) -> int:
    values: dict[str, float | bool] = {
        "target_ms": 300,
        "room_tokens": 32576,
        "characters_per_token": 1,
        **changes,
    }
    return prompt_budget(prompt_speed=speed, **values)  # pyright: ignore[reportArgumentType] (a table's row)


@pytest.mark.parametrize(
    ("speed", "tokens"),
    [(None, 270), (10, FEWEST_TOKENS), (150, 270), (1000, 1800), (20000, MOST_TOKENS)],
)
def test_the_prompt_is_as_long_as_the_backend_can_afford(speed: float | None, tokens: int) -> None:
    assert budget(speed) == tokens


def test_an_idle_moment_affords_more_but_never_more_than_the_window() -> None:
    assert budget(150, factor=PATIENT_FACTOR) == 540
    assert budget(20000, room_tokens=832) == 832
    assert budget(20000, room_tokens=100) == 100


@pytest.mark.parametrize(
    ("prefix", "suffix", "with_context", "shares"),
    [
        (9000, 9000, True, (600, 200, 200)),
        (9000, 9000, False, (800, 200, 0)),
        (100, 9000, True, (100, 700, 200)),
        (9000, 50, True, (750, 50, 200)),
        (100, 50, True, (100, 50, 850)),
        (100, 9000, False, (100, 900, 0)),
        (0, 0, True, (0, 0, 1000)),
        (0, 0, False, (0, 0, 0)),
    ],
)
def test_what_one_part_does_not_need_goes_to_the_others(
    prefix: int, suffix: int, with_context: bool, shares: tuple[int, int, int]
) -> None:
    shared = share_out(1000, prefix=prefix, suffix=suffix, with_context=with_context)
    assert (shared.prefix, shared.suffix, shared.context) == shares


def frozen(prefix: str, suffix: str, room: int = 10_000) -> PromptSession:
    whole = Budget(room, room, 0)
    return freeze(Cursor(URI, prefix, suffix), backend="b/m", budget=whole)


@pytest.mark.parametrize(
    ("prefix", "suffix", "tail"),
    [
        ("a = 1\nb = ", "\n", ""),
        ("a = 1\nb = f(", "\n", "f("),
        ("a = 1\nb = f(", ")\n", "f("),
        ("a = 1\nb = 2\nc", "\n", "2\nc"),
        ("a = 1\n", "\n", None),
        ("a = 2\nb = ", "\n", None),
        ("a = 1\nb = ", "\nc\n", None),
        ("a = 1\nb = " + "b" * (LONGEST_TAIL + 1), "\n", None),
    ],
)
def test_a_prompt_serves_while_only_its_end_changes(
    prefix: str, suffix: str, tail: str | None
) -> None:
    assert frozen("a = 1\nb = ", "\n").tail(Cursor(URI, prefix, suffix)) == tail


def test_indentation_is_no_place_to_freeze_at() -> None:
    assert frozen("if a:\n    ", "\n").tail(Cursor(URI, "if a:\n    b", "\n")) == "    b"


def test_typing_only_adds_to_the_end_of_the_prompt() -> None:
    session = frozen("a = 1\nb = ", "\nc = 3\n")
    before = session.prompt(FIM, "b = ")
    after = session.prompt(FIM, "b = f")
    assert after == before + "f"


def test_the_window_jumps_instead_of_sliding() -> None:
    lines = [f"line {number:04d}\n" for number in range(400)]
    starts: list[int] = []
    room = Budget(800, 200, 0)
    session: PromptSession | None = None
    for count in range(100, 400):
        cursor = Cursor(URI, "".join(lines[:count]), "\n")
        moved = session and move(session, cursor, budget=room, most=2400)
        session = moved or freeze(cursor, backend="b/m", budget=room)
        assert len(session.window) <= 2400
        starts.append(len(session.prefix) - len(session.window))
    assert starts == sorted(starts)
    assert len(set(starts)) < 4


LINES = "".join(f"line {number:02d}\n" for number in range(50))


@pytest.mark.parametrize(
    ("line", "suffix", "moves"),
    [
        (30, "\n", True),
        (31, "\n", True),
        (44, "\n", True),  # further down, all of it read anew but no more than affordable
        (50, "\n", False),  # too far down
        (29, "\n", True),
        (22, "\n", False),  # too far up: next to nothing would be shown
        (31, "z" * 500 + "\n", True),
    ],
)
def test_a_prompt_is_frozen_anew_with_the_same_beginning(
    line: int, suffix: str, moves: bool
) -> None:
    room = Budget(80, 40, 0)
    at = Cursor(URI, LINES[: 30 * 8] + "x = ", "\n")
    files = (ContextFile("a.py", "a", "/a.py"),)
    session = freeze(at, backend="b/m", budget=room, files=files, idle=True)
    moved = move(session, Cursor(URI, LINES[: line * 8] + "y", suffix), budget=room, most=200)
    assert (moved is not None) is moves
    if moved is not None:
        assert moved.prefix == LINES[: line * 8] + "y"
        assert moved.window == LINES[21 * 8 : line * 8] + "y"
        assert (moved.files, moved.idle) == (session.files, True)
        assert len(moved.suffix_window) <= room.suffix


@pytest.mark.parametrize(
    ("line", "length", "moves"), [(10, 7, False), (25, 7, True), (25, 90, False)]
)
def test_an_edit_above_costs_what_has_to_be_read_again(line: int, length: int, moves: bool) -> None:
    room = Budget(80, 40, 0)
    session = freeze(Cursor(URI, LINES[: 30 * 8], "\n"), backend="b/m", budget=room)
    text = LINES[: line * 8] + "e" * length + LINES[line * 8 + 7 : 30 * 8]
    moved = move(session, Cursor(URI, text, "\n"), budget=room, most=200)
    assert (moved is not None) is moves


@given(
    prefix=st.text(alphabet="ab\n", max_size=300),
    suffix=st.text(alphabet="ab\n", max_size=300),
    room=st.integers(min_value=200, max_value=400),
)
def test_a_frozen_prompt_shows_text_next_to_the_cursor(prefix: str, suffix: str, room: int) -> None:
    session = frozen(prefix, suffix, room)
    assert session.prefix.endswith(session.window)
    assert suffix.startswith(session.suffix_window)
    assert session.tail(Cursor(URI, prefix, suffix)) == prefix[len(session.prefix) :]
