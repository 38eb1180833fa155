"""Refactorings without a model, by a table: what each makes of a text, or why it makes nothing."""

# ruff: noqa: E501 - programs as they are written

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from coai_agents.source import Source, Span
from coai_agents.specialists.refactoring.catalogue import KINDS, offered, refactorings
from coai_agents.specialists.refactoring.names import Names
from coai_agents.specialists.refactoring.site import Offer, RefusalError, Site
from coai_agents.specialists.refactoring.verifying import verified
from coai_agents.syntax.tree import SyntaxTree, parse

CASES: list[dict[str, Any]] = tomllib.loads(
    Path(__file__).with_name("cases.toml").read_text("utf-8")
)["case"]


def selected(marked: str, language: str) -> tuple[SyntaxTree, Span]:
    """Return the tree of a text with marks around what is selected."""
    first = marked.index("<|")
    last = marked.index("|>", first + 2)
    text = marked[:first] + marked[first + 2 : last] + marked[last + 2 :]
    tree = parse(Source("file:///w/a", text, language))
    assert tree is not None
    return tree, Span(first, last - 2)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['kind']}-{case['language']}")
def test_refactoring(case: dict[str, Any]) -> None:
    tree, span = selected(case["before"], case["language"])
    kind = KINDS[case["kind"]]
    if "refused" in case:
        with pytest.raises(RefusalError) as refused:
            refactorings(kind, tree, span, name=case.get("name", ""))
        assert str(refused.value) == case["refused"]
        return
    found = refactorings(kind, tree, span, name=case.get("name", ""))
    chosen = found[-1] if case.get("every") else found[0]
    assert chosen.change.after.text == case["after"]


def test_each_kind_is_made_and_refused_in_the_table() -> None:
    for name in KINDS:
        cases = [each for each in CASES if each["kind"] == name]
        assert any("after" in each for each in cases), name
        assert any("refused" in each for each in cases), name


def test_windows_line_ends_stay() -> None:
    text = "def f(a):\r\n    return (<|a + 1|>) * 2\r\n"
    tree, span = selected(text, "python")
    (found,) = refactorings(KINDS["extract-variable"], tree, span)
    assert found.change.after.text == ("def f(a):\r\n    total = a + 1\r\n    return total * 2\r\n")


def test_text_that_is_not_ascii_is_cut_in_the_right_place() -> None:
    tree, span = selected('def f(ä):\n    s = "ééé"; return g(<|ä + 1|>)\n', "python")
    (found,) = refactorings(KINDS["extract-variable"], tree, span)
    assert 's = "ééé"; total = ä + 1; return g(total)' in found.change.after.text


@pytest.mark.parametrize("text", ["x = <||>" + " + ".join(["'a'", *["b"] * 3_000]) + "\n"])
def test_what_is_nested_deeply_is_refused(text: str) -> None:
    tree, span = selected(text, "python")
    with pytest.raises(RefusalError, match="deeply"):
        refactorings(KINDS["template"], tree, span)
    assert list(offered(tree, span)) == []


def test_a_broken_file_is_left_alone() -> None:
    tree, span = selected("def f(a:\n    return <|a + 1|>\n", "python")
    with pytest.raises(RefusalError):
        refactorings(KINDS["extract-variable"], tree, span)


@pytest.mark.parametrize(
    ("text", "old", "new"),
    [
        # A name that is captured, one that is no longer bound, a place outside, a broken file.
        ("def f(a):\n    b = 1\n    return a\n", "return a", "return b; a = b"),
        ("def f(a):\n    b = 1\n    return b\n", "    b = 1\n", ""),
        ("def f(a):\n    return a\n", "return a", "return a)"),
        ("def f(a):\n    return a\n", "return a", "await a"),
        ("x = 1\ndef f(a):\n    return x + a\n", "return x + a", "x = 2; return x + a"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_not_offered(text: str, old: str, new: str) -> None:
    from coai_agents.source import Edit  # noqa: PLC0415 - for this table alone

    tree = parse(Source("file:///w/a.py", text, "python"))
    assert tree is not None
    at = text.index(old)
    offer = Offer("wrong", (Edit(Span(at, at + len(old)), new),))
    change, why = verified(Site(tree, Span(at, at)), offer)
    assert change is None
    assert why


def test_offers_come_without_what_needs_a_name() -> None:
    tree, span = selected("def f(a):\n    <|x|> = not (a and 1)\n    return x\n", "python")
    kinds = {each.kind.name for each in offered(tree, span)}
    assert "inline-variable" in kinds
    assert not kinds & {"rename", "sort-imports"}


@pytest.mark.parametrize(
    ("language", "text", "groups"),
    [
        ("python", "def f(a):\n    [a for a in a]\n    return a\n", [1, 3, 2]),
        ("javascript", "let x = 1; { let x = 2; x; } x;", [2, 2]),
        ("go", "package a\nfunc f() {\n\tx := 1\n\tif x := x; x > 0 {\n\t\tg(x)\n\t}\n}\n", [2, 3, 1, 1]),
        ("ruby", "def f(a)\n  a.each { |a| a }\n  a\nend\n", [3, 2]),
        ("php", "<?php function f($a) { return function () use ($a) { return $a; }; }", [1, 2]),
        ("java", "class A { void f(int a) { for (int i = 0; i < a; i++) {} int i = a; } }", [1, 3, 3, 1]),
        ("csharp", "class A { void F(int a) { G(x => x + a); } }", [1, 2, 2, 1]),
    ],
)  # fmt: skip
def test_names_are_grouped_by_their_variable(language: str, text: str, groups: list[int]) -> None:
    tree = parse(Source("file:///w/a", text, language))
    assert tree is not None
    found: dict[object, int] = {}
    for use in Names(tree).uses:
        key = use.binding or use.name
        found[key] = found.get(key, 0) + 1
    assert sorted(found.values()) == sorted(groups), {
        getattr(key, "name", key): count for key, count in found.items()
    }
