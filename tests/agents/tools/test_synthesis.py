"""What several said becomes one: each statement once, weighed, checked, with who says it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coai_agents.tools.synthesis.statements import sentences
from coai_agents.tools.synthesis.tool import synthesise
from coai_agents.tools.workspace import Folder
from tests.agents.tools.support import used

if TYPE_CHECKING:
    from coai_agents.workflows.definition.types import Json


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "shop.py").write_text("def total(prices):\n    return sum(prices)\n")
    return Folder(tmp_path)


def told(folder: Folder, question: str = "", about: str = "", /, **voices: Json) -> Json:
    return synthesise(voices, folder, question=question, about=about)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The query is not escaped.", "- The query is not escaped"),
        ("The query is not escaped.", "**The query isn't escaped.**"),
        ("The cache grows without bound.", "The caches grow without bounds."),
        ("User names are logged.", "1. The user name is logged."),
        ("The function is unsafe.", "The function is not safe."),
    ],
)
def test_what_says_the_same_is_one_statement_of_both(folder: Folder, one: str, other: str) -> None:
    found = told(folder, a=one, b=other)
    assert [each["by"] for each in found["statements"]] == [["a", "b"]]
    assert len(found["agreed"]) == 1
    assert found["conflicts"] == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The function is safe.", "The function is not safe."),
        ("The result is always sorted.", "The result is never always sorted."),
        ("The loop reads 3 files.", "The loop reads 4 files."),
        ("The lock is released.", "The lock isn't released."),
    ],
)
def test_what_contradicts_stands_side_by_side(folder: Folder, one: str, other: str) -> None:
    found = told(folder, a=one, b=other)
    [conflict] = found["conflicts"]
    assert [side["by"] for side in conflict["sides"]] == [["a"], ["b"]]
    assert (conflict["kept"], conflict["why"]) == (None, "nothing decides it")
    assert found["consensus"] == 0.0


def test_conflicts_are_resolved_by_their_grounds(folder: Folder) -> None:
    more = told(folder, a="It is safe.", b="It is not safe.", c="It isn't safe.")
    assert more["conflicts"][0]["kept"] == "It is not safe."
    assert "2 say so" in more["conflicts"][0]["why"]
    finding = {"path": "src/shop.py", "line": 1, "message": "The function is not safe."}
    fact = told(folder, a="The function is safe.", b="The function is safe.", findings=[finding])
    assert fact["conflicts"][0]["kept"] == "The function is not safe."
    assert fact["statements"][-1]["ground"] == "fact"
    wrong = told(
        folder,
        a="The lock is released in src/shop.py:99.",
        b="The lock is not released in src/shop.py.",
    )
    assert wrong["conflicts"][0]["kept"] == "The lock is not released in src/shop.py."


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("The bug is in src/shop.py:40.", "src/shop.py has 3 lines"),
        ("See src/basket.py for the total.", "there is no file src/basket.py"),
        ("It begins in ../../etc/passwd.conf:1 already.", "there is no file"),
        ("It begins in shop.py:2 already.", ""),
        ("The sum in src/shop.py:1-2 is right.", ""),
        ("Nothing is said of a place.", ""),
    ],
)
def test_what_the_code_shows_not_to_hold_is_refuted(folder: Folder, said: str, why: str) -> None:
    found = told(folder, a=said)
    [statement] = found["statements"]
    assert statement["refuted"].startswith(why) and bool(statement["refuted"]) == bool(why)  # noqa: PT018 - one thing
    assert len(found["refuted"]) == bool(why)
    assert ("Does not hold" in found["text"]) == bool(why)


def test_lines_without_a_file_are_those_of_what_it_is_about(folder: Folder) -> None:
    found = told(folder, "", "src/shop.py", a="Line 2 adds the prices. Line 70 divides them.")
    assert [each["refuted"] for each in found["statements"]] == ["", "src/shop.py has 3 lines"]


def test_what_is_quoted_and_is_not_there_is_to_be_looked_at(folder: Folder) -> None:
    said = "The call `sum` is right. The call `product` is wrong. `return max(prices)` is slow."
    found = told(folder, "", "src/shop.py", a=said)
    assert found["unseen"] == [
        "a: product is not in src/shop.py",
        "a: `return max(prices)` is not in src/shop.py",
    ]
    assert found["refuted"] == [], "a model may name what the code should use"


@pytest.mark.parametrize(
    ("question", "missing"),
    [
        ("Is the total right? Who calls the basket?", ["who calls the basket"]),
        ("Is the total right?", []),
        ("Check the total and explain the rounding", ["explain the rounding"]),
        ("", []),
    ],
)
def test_parts_of_the_question_that_nobody_speaks_of_are_told(
    folder: Folder, question: str, missing: list[str]
) -> None:
    found = told(folder, question, a="The total is right for all prices.")
    assert found["missing"] == missing


def test_each_member_of_a_conversation_has_a_voice(folder: Folder) -> None:
    talk = {"text": "x", "said": [{"by": "ada", "text": "Use a lock."}, {"by": "bob", "text": "?"}]}
    found = told(folder, talk=talk, c={"score": 3, "reasons": "Use a lock."}, d=None, e=5)
    assert [each["by"] for each in found["statements"]] == [["ada", "c"]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# Head\n\nOne thing. Another thing!\n", ["One thing.", "Another thing!"]),
        ("Findings:\n- First item\n  * second item\n3) third item", 3),
        ("```python\nx = 1\n```\nAfter code.", ["After code."]),
        ("```\nnever closed\nx = 1", []),
        ("Use v1.2.3 of a.b. Then stop.", ["Use v1.2.3 of a.b.", "Then stop."]),
        ("", []),
        ("...\n---\n", []),
    ],
)
def test_a_text_is_cut_into_statements(text: str, expected: list[str] | int) -> None:
    found = list(sentences(text))
    assert (len(found) if isinstance(expected, int) else found) == expected


VOICES = st.dictionaries(
    st.sampled_from(["a", "b", "c"]),
    st.lists(
        st.sampled_from(
            ["It is safe.", "It is not safe.", "See x.py:9.", "Speed matters here.", "Is it?"]
        ),
        max_size=4,
    ).map(" ".join),
)


@given(VOICES)
def test_nothing_is_lost_and_nothing_is_made_up(voices: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as place:
        found = synthesise(voices, Folder(Path(place)))
    texts = [each["text"] for each in found["statements"]]
    for name, text in voices.items():
        for sentence in sentences(text):
            assert any(
                each["text"] == sentence and name in each["by"] for each in found["statements"]
            )
    assert all(any(text in voice for voice in voices.values()) for text in texts)
    assert len(texts) == len(set(texts))
    assert all(each in texts for each in found["agreed"])
    assert 0 <= found["consensus"] <= 1


async def test_as_a_tool_it_takes_any_voices(folder: Folder) -> None:
    found = await used(folder.root, "synthesise", question="Is it safe?", a="It is safe.", b=None)
    assert found["text"] == "Said\n- It is safe. (a)"
    short = await used(folder.root, "synthesise", summary="Safe.", a="It is safe.")
    assert short["text"] == "Safe.\n\nSaid\n- It is safe. (a)"
    assert len(short["statements"]) == 1, "a summary is no voice"
