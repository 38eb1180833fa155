"""A file as a whole: suppression, secrets, limits, and any bytes at all."""

from __future__ import annotations

from threading import Thread

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coai_agents.analysis.findings.findings import Analysis, Severity
from coai_agents.analysis.run.analyzer import analyse
from coai_agents.source import Source
from coai_agents.syntax.tree import parse

PATIENCE = 120.0
"""Seconds. Never over unless something is wrong."""

_BAD = "import hashlib\nhashlib.md5(b'x')"


def _rules(text: str, language: str = "python") -> list[str]:
    return [each.rule for each in analyse(Source("untitled:x", text, language)).findings]


@pytest.mark.parametrize(
    ("comment", "left"),
    [
        ("", ["weak-hash"]),
        ("  # a comment", ["weak-hash"]),
        ("  # coai: ignore", []),
        ("  # coai: ignore[weak-hash] a checksum", []),
        ("  # coai: ignore[weak-random, weak-hash]", []),
        ("  # coai: ignore[weak-random]", ["weak-hash"]),
        ("  # nosec", []),
        ("  # nosec B303", []),
        ("  # nosemgrep: some.rule", []),
        ("  # noqa", []),
        ("  # noqa: S324", []),
        ("  # noqa: E501", ["weak-hash"]),
    ],
)
def test_a_comment_takes_the_findings_of_its_line_away(comment: str, left: list[str]) -> None:
    assert _rules(_BAD + comment + "\n") == left


def test_a_comment_of_its_own_line_speaks_of_the_next() -> None:
    text = "import hashlib\n# coai: ignore[weak-hash]\nhashlib.md5(b'x')\nhashlib.md5(b'y')\n"
    analysis = analyse(Source("untitled:x", text, "python"))
    assert [each.rule for each in analysis.findings] == ["weak-hash"]
    assert analysis.suppressed == 1


def test_a_code_of_style_takes_away_what_is_no_matter_of_security() -> None:
    assert _rules("try:\n    f()\nexcept:  # noqa: E722\n    g()\n") == []


_TOKEN = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"


@pytest.mark.parametrize("language", ["python", "plaintext", "json", "markdown"])
def test_a_secret_is_found_in_a_file_of_any_kind(language: str) -> None:
    analysis = analyse(Source("untitled:x", f'token = "{_TOKEN}"\n', language))
    assert [each.rule for each in analysis.findings] == ["secret-found"]
    assert analysis.findings[0].severity is Severity.ERROR
    assert analysis.complete


def test_a_guessed_secret_is_reported_once() -> None:
    assert _rules('password = "hunter2hunter2"\n') == ["hardcoded-secret"]


def test_the_tree_that_is_there_is_used() -> None:
    source = Source("untitled:x", _BAD, "python")
    assert analyse(source, parse(source)).findings == analyse(source).findings


def test_when_the_time_is_over_what_was_found_is_given_with_a_note() -> None:
    text = f"{_BAD}\ndef f(a=[]):\n    pass\n" + "x = g(x, [1, 2])\n" * 3_000
    source = Source("untitled:x", text, "python")
    analysis = analyse(source, parse(source, budget=9.0), budget=0.0)
    assert "not all" in analysis.notes[0]


_HOSTILE = {
    "brackets": "(" * 10_000 + ")" * 10_000,
    "unclosed": "[{(" * 10_000,
    "operators": "x = " + " + ".join(["a"] * 5_000),
    "calls": "f(" * 3_000 + ")" * 3_000,
    "members": "x" + ".a" * 5_000,
    "one line": "a=1;" * 200_000,
    "blocks": "\n".join(" " * depth + "if x:" for depth in range(400)),
    "strings": "f'{" * 3_000,
    "surrogates": "x = '\ud800'\nimport hashlib\nhashlib.md5()\n",
    "nulls": "\0" * 10_000,
    "ten megabytes": "x" * 10_000_000,
}


@pytest.mark.parametrize("language", ["python", "javascript", "java", "php"])
@pytest.mark.parametrize("text", _HOSTILE.values(), ids=_HOSTILE)
def test_no_text_crashes_it_or_keeps_it_busy(language: str, text: str) -> None:
    analysed: list[Analysis] = []

    def analysing() -> None:
        analysed.append(analyse(Source("untitled:x", text, language)))

    # Without limits some of these take minutes, and others a stack deeper than any.
    thread = Thread(target=analysing, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    assert analysed


_WORDS = (
    "def f(x=[]):¦    return x¦if a:¦else:¦for i in ¦x = ¦(¦)¦[¦]¦{¦}¦'¦\"¦f'{¦,¦.¦:¦=¦    "
    "¦import os¦request.args¦os.system(¦class A:¦while ¦try:¦except:¦match x:¦=>¦<?php "
    "¦function f(a) {¦$_GET['a']¦`¦end¦do |x|¦é¦𝄞¦\n"
)
_PIECES = st.sampled_from(_WORDS.split("¦"))


@pytest.mark.parametrize(
    "language", ["python", "javascript", "typescriptreact", "java", "go", "php", "ruby", "csharp"]
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(st.lists(_PIECES, max_size=60).map("".join), st.text(max_size=80)))
def test_any_text_has_findings_within_it(language: str, text: str) -> None:
    source = Source("untitled:x", text, language, version=3)
    analysis = analyse(source)
    for finding in analysis.findings:
        assert 0 <= finding.span.start <= finding.span.end <= len(source.text)
        assert finding.version == 3
