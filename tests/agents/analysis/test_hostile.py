"""Texts made to break it: an analysis ends, says what it left out, and keeps within its bounds."""

from __future__ import annotations

import random
from time import perf_counter

import pytest
from benchmarks.hostile import fuzzed

from coai_agents.analysis.dataflow.lowering import LANGUAGES
from coai_agents.analysis.findings.findings import Finding, Severity
from coai_agents.analysis.findings.secrets import RULE as SECRET
from coai_agents.analysis.findings.secrets import WINDOW, secrets_in
from coai_agents.analysis.findings.suppression import LONGEST_LINE
from coai_agents.analysis.run import analyzer
from coai_agents.analysis.run.analyzer import HARDCODED, analyse
from coai_agents.source import Source, Span

HEADS = {
    "go": "package a\nfunc f() {\n",
    "java": "class A { void f() {\n",
    "csharp": "class A { void F() {\n",
    "php": "<?php\n",
}


def _source(text: str, language: str) -> Source:
    return Source("untitled:x", text, "typescriptreact" if language == "tsx" else language)


@pytest.mark.parametrize("language", ["javascript", "python", "tsx", "typescript"])
def test_an_error_of_a_hundred_thousand_brackets_is_not_searched(language: str) -> None:
    analysis = analyse(_source("[" * 100_000, language))
    assert any("not all patterns" in note for note in analysis.notes)
    assert analysis.findings == ()


@pytest.mark.parametrize("language", sorted(LANGUAGES))
@pytest.mark.parametrize(
    ("before", "after"), [("(", ")"), ("[", "]"), ("f(", ")"), ("{", ""), ("a + ", "b")]
)
def test_ten_thousand_nested_brackets_end_in_an_answer(
    language: str, before: str, after: str
) -> None:
    text = f"{HEADS.get(language, '')}{before * 10_000}a{after * 10_000}\n"
    analysis = analyse(_source(text, language), budget=0.3)
    assert analysis.findings == ()


@pytest.mark.parametrize("language", ["go", "python", "javascript"])
def test_a_tree_as_deep_as_its_text_is_long_is_not_searched_to_the_bottom(language: str) -> None:
    text = f"{HEADS.get(language, '')} x = a{' + a' * 60_000}\n"
    assert not analyse(_source(text, language), budget=0.3).complete


def test_damaged_programs_and_bytes_that_are_no_text_end_in_an_answer() -> None:
    for _, language, text in fuzzed(6):
        analyse(_source(text[:50_000], language), budget=0.3)


def test_what_there_was_no_time_for_is_said() -> None:
    analysis = analyse(_source("x = f(a)\n" * 5_000, "python"), budget=0.0)
    assert not analysis.complete


def test_secrets_beyond_the_deadline_are_not_searched_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    secret = "password = 'hunter2hunter2'\n"
    source = _source(secret + "x" * (2 * WINDOW) + "\n" + secret, "")
    found, searched = secrets_in(source)
    assert (len(found), searched) == (2, len(source.text))
    found, searched = secrets_in(source, perf_counter() - 1)
    assert (len(found), searched) == (1, WINDOW)
    monkeypatch.setattr(analyzer, "SECRETS_BUDGET", -1.0)
    (note,) = analyse(source).notes
    assert note == "Only the first 250,000 characters were searched for secrets."


@pytest.mark.parametrize("shift", [-30, -20, -13, -5, 0, 5])
def test_a_secret_at_the_edge_of_a_window_is_found_once(shift: int) -> None:
    text = "y" * (WINDOW + shift) + "\npassword = 'hunter2hunter2'\n" + "y" * 100
    found, _ = secrets_in(_source(text, ""))
    assert [text[each.span.start : each.span.end] for each in found] == ["hunter2hunter2"]


def test_comments_in_lines_that_nobody_wrote_take_nothing_away() -> None:
    harm = "import hashlib; hashlib.md5(b'x')"
    assert analyse(_source(f"{harm}  # noqa", "python")).findings == ()
    long = f"{harm}; x = '{'#' * LONGEST_LINE}'  # noqa"
    assert len(analyse(_source(long, "python")).findings) == 1


def _finding(chance: random.Random) -> Finding:
    start = chance.randrange(12)
    rule = chance.choice([SECRET, HARDCODED, "weak-hash"])
    severity = chance.choice([Severity.ERROR, Severity.WARNING])
    return Finding(rule, Span(start, start + chance.randrange(5)), "", severity, "u", 0)


def test_doubles_are_those_that_looking_at_every_pair_gives() -> None:
    chance = random.Random(3)

    def double(one: Finding, other: Finding) -> bool:
        if one.rule == SECRET and other.rule == HARDCODED:
            return one.severity is Severity.ERROR and other_in(one, other)
        if one.rule == HARDCODED and other.rule == SECRET:
            return other.severity is not Severity.ERROR and other_in(other, one)
        return False

    def other_in(inner: Finding, outer: Finding) -> bool:
        return outer.span.covers(inner.span)

    for _ in range(300):
        findings = [_finding(chance) for _ in range(8)]
        wanted = [each for each in findings if not any(double(one, each) for one in findings)]
        assert analyzer.without_doubles(findings) == wanted
