"""`coai ask`: answers with facts, with a model's words if one answers, and says which is which."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.server.test_explanations import local_model

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.cli.conftest import Home, InProcess

TEXT = (
    "def total_of(prices):\n    if not prices:\n        raise ValueError(prices)\n"
    "    return sum(prices)\n\n\ndef show(prices):\n    print(total_of(prices))\n"
)


@pytest.fixture
def shop(home: Home) -> Path:
    path = home.folder / "shop.py"
    path.write_text(TEXT)
    return path


def test_without_a_model_the_facts_are_the_answer(home: Home, shop: Path) -> None:
    # Of a file, of lines of it, and of whatever in this folder the question names.
    for what in ([str(shop)], [f"{shop}:3"], []):
        ran = home("ask", "What does total_of raise?", *what, "--no-model")
        assert ran.code == 0, ran.err
        assert "- It raises `ValueError` itself." in ran.out
        assert "unchecked" not in ran.out
        assert "Note: No model is asked" in ran.out


def test_what_cannot_be_answered_is_said(home: Home, shop: Path) -> None:
    ran = home("ask", "Why?", "--no-model")
    assert ran.code == 2
    assert "name a file" in ran.out
    assert home("ask", "Why?", str(shop) + ":99", "--no-model").code == 2
    assert home("ask", "Why?", str(shop.with_name("none.py")), "--no-model").code != 0


def test_a_models_words_are_marked_and_held_against_the_code(home: Home, shop: Path) -> None:
    with local_model() as model:
        model.answer = "It sums `prices`. It calls `os.fork` then."
        ran = home(
            "ask",
            "What does it do?",
            f"{shop}:1-4",
            "--json",
            COAI_ENGINE__ENABLED="false",
            COAI_ENDPOINTS__LMSTUDIO__ENABLED="true",
            COAI_ENDPOINTS__LMSTUDIO__URL=f"{model.url}/v1",
        )
        assert ran.code == 0, ran.err
        (asked,) = model.requests
    answered, facts = ran.document["sections"]
    assert answered["title"] == "Answer"
    assert [each["text"] for each in answered["statements"]] == ["It sums `prices`."]
    assert answered["statements"][0]["origin"] == "model"
    assert {each["origin"] for each in facts["statements"]} == {"fact"}
    assert "1 of the model's sentences spoke of what is not there." in ran.document["notes"]
    said = asked[2]["messages"][-1]["content"]
    assert "def total_of" in said
    assert "def show" not in said, "only the lines that are asked about are shown"


SLOW = (
    "import sqlite3\n\n\ndef rows(connection, name):\n"
    '    return connection.execute("SELECT * FROM carts WHERE name = \'" + name + "\'")\n\n\n'
    "def names(items):\n    found = []\n    for item in items:\n"
    "        if item not in found:\n            found.append(item)\n    return found\n"
)

TRACE = (
    'Traceback (most recent call last):\n  File "basket.py", line 5, in rows\n    return x\n'
    "AttributeError: 'NoneType' object has no attribute 'execute'"
)


@pytest.mark.parametrize(
    ("question", "asked", "told"),
    [
        (f"why?\n{TRACE}", "error", ["What stands before the dot is None", "basket.py:5 in rows"]),
        ("Is basket.py safe against SQL injection?", "security, answer", ["SQL is built from"]),
        ("why is basket.py slow", "performance, answer", ["A list is searched"]),
        ("which docstrings are missing in basket.py", "documentation, answer", ["rows has no doc"]),
        ("how is this project structured?", "architecture, answer", ["imports among them"]),
        ("review basket.py", "review, answer", ["SQL is built", "A list is", "rows has no doc"]),
        (
            "Is basket.py secure, and is it slow?",
            "security, performance, answer",
            ["SQL is built", "A list is searched"],
        ),
        (
            f"{TRACE}\nAnd is basket.py secure?",
            "error, security, answer",
            ["What stands before the dot", "SQL is built"],
        ),
    ],
)
def test_a_question_goes_to_whom_it_is_for(
    coai: InProcess, empty_home: Path, question: str, asked: str, told: list[str]
) -> None:
    (empty_home / "basket.py").write_text(SLOW)
    ran = coai("ask", question, "--no-model", "--json")
    assert ran.code == 0, ran.err
    texts = [each["text"] for section in ran.document["sections"] for each in section["statements"]]
    for each in told:
        assert any(each in text for text in texts), texts
    assert ran.document["notes"][0].startswith(f"Asked: {asked}. Why: ")
    origins = {each["origin"] for one in ran.document["sections"] for each in one["statements"]}
    assert origins <= {"fact", "checked"}, "nobody was asked who could say more"
    assert len(texts) == len(set(texts)), "nothing is said twice"
