"""Explanations: facts are true without a model, and what a model says is held against the code."""

from __future__ import annotations

import pytest

from coai_agents.analysis.run.analyzer import analyse
from coai_agents.source import Source, Span
from coai_agents.specialists.answers import Origin
from coai_agents.specialists.asking import Asker
from coai_agents.specialists.explaining.agent import checked, explain, prompt_of
from coai_agents.specialists.meaning import meaning_key
from coai_agents.specialists.targets import Target, TargetError, locate, parse_target
from coai_agents.specialists.words import Words
from coai_agents.syntax.definitions import outline
from coai_agents.syntax.tree import parse

TEXT = '''import subprocess


def run(command, *, quiet=False):
    """Run a command."""
    if quiet:
        raise ValueError(command)
    return subprocess.run(command, shell=True)


def main(name):
    return run(name)
'''


def source_of(text: str = TEXT) -> Source:
    return Source("file:///a.py", text, "python")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.py", Target("a.py")),
        ("a.py:3", Target("a.py", 3, 3)),
        ("a.py:3-7", Target("a.py", 3, 7)),
        ("a/b.py:A.f", Target("a/b.py", symbol="A.f")),
        (r"C:\a\b.py:12", Target(r"C:\a\b.py", 12, 12)),
        (r"C:\a\b.py", Target(r"C:\a\b.py")),
    ],
)
def test_a_place_is_read_as_it_is_written(text: str, expected: Target) -> None:
    assert parse_target(text) == expected


def test_what_is_not_there_is_told_with_what_is() -> None:
    with pytest.raises(TargetError, match="defines run, main"):
        locate(source_of(), Target("a.py", symbol="walk"))
    with pytest.raises(TargetError, match="lines 1 to"):
        locate(source_of(), Target("a.py", 99, 99))


async def test_without_a_model_the_code_is_described() -> None:
    source = source_of()
    located = locate(source, parse_target("a.py:run"))
    report = await explain(located, Asker(), findings=analyse(source).findings, path="a.py")
    texts = " ".join(each.text for each in report.statements)
    for fact in (
        "`command` and `quiet`",
        "Run a command",
        "raises `ValueError`",
        "used by `main`",
        "are 2 ways",
    ):
        assert fact in texts
    assert {each.origin for each in report.statements} == {Origin.FACT}
    assert report.notes


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("python", 'def f(a):\n    """It is safe."""\n    return a\n'),
        ("python", "def f(a):\n    'It is safe.'\n\n    return a\n"),
        ("java", "/** It is safe. */\nint f(int a) {\n    return a;\n}\n"),
        ("typescript", "/** It is safe. */\nexport function f(a) {\n    return a;\n}\n"),
        ("go", "package f\n\n// It is safe.\nfunc f(a int) int {\n    return a\n}\n"),
    ],
)
def test_a_model_sees_the_code_and_not_what_is_claimed_of_it(language: str, text: str) -> None:
    source = Source("file:///a", text, language)
    prompt = prompt_of(locate(source, Target("a", symbol="f")), "")
    assert "It is safe" not in prompt.about
    assert "return a" in prompt.about
    assert "f(" in prompt.about


async def test_lines_mean_the_function_around_them() -> None:
    located = locate(source_of(), Target("a.py", 7, 7))
    assert [each.name for each in located.definitions] == ["run"]


def test_a_sentence_about_a_name_that_is_not_there_is_left_out() -> None:
    source = source_of()
    said = (
        "It runs `command` in a shell. It calls `os.fork` first.\n"
        "```python\nrun()\n```\n- It raises `ValueError` where `quiet` is set."
    )
    section, dropped = checked(
        Words(said, "m", whole=True), source, Span(0, len(source.text)), "a.py"
    )
    assert [each.text for each in section.statements] == [
        "It runs `command` in a shell.",
        "It raises `ValueError` where `quiet` is set.",
    ]
    assert dropped == 1
    assert {each.by for each in section.statements} == {"m"}


def key_of(text: str) -> str:
    tree = parse(source_of(text))
    assert tree is not None
    return meaning_key(tree, next(each for each in outline(tree) if each.name == "main"), "explain")


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("    return run(name)", "    # so\n    return run( name )", True),
        ("import subprocess\n", "import subprocess\nimport os\n\n\nX = 1\n", True),
        ('"""Run a command."""', '"""Run it."""', True),
        ("return run(name)", "return run(name, quiet=True)", False),
        ("shell=True", "shell=False", False),
    ],
)
def test_an_answer_is_kept_as_long_as_the_code_means_the_same(
    old: str, new: str, *, same: bool
) -> None:
    assert (key_of(TEXT) == key_of(TEXT.replace(old, new))) is same
