"""Known errors: each example is read, and what is known of it is what is told."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from coai_agents.specialists.diagnosing.knowledge import PatternFileError, known, patterns
from coai_agents.specialists.diagnosing.problems import Problem
from coai_agents.specialists.diagnosing.reading import read_output, worst

if TYPE_CHECKING:
    from pathlib import Path

    from coai_agents.specialists.diagnosing.knowledge import Pattern

EVERY = [(language, each) for language, some in patterns().items() for each in some]


@pytest.mark.parametrize(
    ("language", "pattern"), EVERY, ids=[f"{language}-{each.id}" for language, each in EVERY]
)
def test_an_example_is_read_and_known(language: str, pattern: Pattern) -> None:
    problem = worst(read_output(pattern.example))
    assert problem is not None
    found = known(problem)
    assert found is not None
    assert (found.language, found.pattern.id) == (language, pattern.id)
    for text in (found.cause, found.look, found.remedy):
        assert not re.search(r"\{\w+\}|  ", text)


def test_there_are_many_for_each_language() -> None:
    assert sum(map(len, patterns().values())) >= 120
    assert set(patterns()) == {
        "cpp", "csharp", "go", "java", "javascript", "php", "python", "ruby", "rust", "typescript",
    }  # fmt: skip
    assert all(len(some) >= 10 for some in patterns().values())


@pytest.mark.parametrize(
    ("language", "kind", "message", "expected"),
    [
        ("python", "KeyError", "3", "missing-key"),
        ("python", "requests.exceptions.ConnectionError", "refused", "connection"),
        ("typescriptreact", "TS2304", "Cannot find name 'x'.", "unknown-name"),
        ("typescript", "TypeError", "x is not a function", "not-a-function"),
        ("c", "", "'x' undeclared (first use in this function)", "undeclared"),
        ("java", "java.lang.NullPointerException", "", "null-pointer"),
    ],
)
def test_what_another_server_reports_is_known(
    language: str, kind: str, message: str, expected: str
) -> None:
    found = known(Problem(language, kind, message))
    assert found is not None
    assert found.pattern.id == expected


@pytest.mark.parametrize(
    ("language", "kind", "message"),
    [("python", "shop.OrderError", "no tea"), ("go", "", "something new"), ("", "", "")],
)
def test_of_what_is_not_known_nothing_is_told(language: str, kind: str, message: str) -> None:
    assert known(Problem(language, kind, message)) is None


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('id = "a-b"', "cause"),
        ('id = "a-b"\nkind = "("', "regular expression"),
        ('id = "a-b"\nkind = "X"\nremedy = "Write `{other}` there."', "no such group"),
        ('id = "a-b"\nkind = "X"\nmore = 1', "more"),
    ],
)
def test_a_wrong_pattern_names_its_file(tmp_path: Path, table: str, said: str) -> None:
    rest = {
        "cause": "It is so because it is.",
        "look": "somewhere else",
        "remedy": "Write it there.",
        "example": "X: y",
    }
    lines = (
        ""
        if said == "cause"
        else "\n".join(f'{key} = "{text}"' for key, text in rest.items() if f"{key} =" not in table)
    )
    (tmp_path / "python.toml").write_text(f"[[patterns]]\n{table}\n{lines}\n", "utf-8")
    with pytest.raises(PatternFileError, match=r"python\.toml: a-b") as caught:
        patterns(tmp_path)
    assert said in str(caught.value)
