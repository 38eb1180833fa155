"""ruff beside our own rules: what it adds, and that it can neither hang nor break an analysis."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from coai_agents.analysis.findings.findings import Finding, Severity
from coai_agents.analysis.rules.rules import RuleFileError
from coai_agents.analysis.run import ruff
from coai_agents.analysis.run.analyzer import analyse
from coai_agents.source import Source, Span

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    ruff.close()


def _python(text: str) -> Source:
    return Source("untitled:x", text, "python", version=3)


_SNMP = (
    "# é \N{GRINNING FACE}\n"
    "from pysnmp.hlapi import CommunityData\n"
    "CommunityData('public', mpModel=0)\n"
)


def test_what_only_ruff_knows_is_found_with_our_words_and_weakness() -> None:
    (found,) = ruff.ruff_findings(_python(_SNMP))
    assert (found.rule, found.origin, found.version) == ("cleartext", "ruff", 3)
    assert found.severity is Severity.WARNING
    assert found.cwe
    assert "S508" in found.message
    assert _SNMP[found.span.start :].startswith("mpModel=0")


def test_its_findings_are_those_of_the_analysis() -> None:
    assert [each.origin for each in analyse(_python(_SNMP)).findings] == ["ruff"]


def test_what_ours_says_at_the_place_is_not_said_again() -> None:
    text = "import hashlib\nhashlib.md5(b'a')\n"
    theirs = ruff.ruff_findings(_python(text))
    assert [each.rule for each in theirs] == ["weak-hash"]
    assert [each.origin for each in analyse(_python(text)).findings] == ["coai"]


@pytest.mark.parametrize(
    "source",
    [
        Source("untitled:x", _SNMP, "javascript"),
        Source("untitled:x", "assert True\n", "python"),
        Source("untitled:x", "def (:\n", "python"),
    ],
)
def test_other_texts_have_none(source: Source) -> None:
    assert ruff.ruff_findings(source) == ()


def test_a_large_file_is_not_shown_to_it_and_the_analysis_says_so() -> None:
    large = _python(_SNMP + "#" * ruff.MAX_CHARACTERS)
    with pytest.raises(ruff.RuffError, match="too large"):
        ruff.ruff_findings(large)
    assert any("too large for ruff" in note for note in analyse(large).notes)


def _at(start: int, end: int, rule: str = "weak-hash", *cwe: int) -> Finding:
    return Finding(
        rule=rule,
        span=Span(start, end),
        message="",
        severity=Severity.WARNING,
        uri="untitled:x",
        version=0,
        cwe=cwe,
    )


@pytest.mark.parametrize(
    ("ours", "theirs", "said"),
    [
        ([], _at(0, 5), True),
        ([_at(5, 9)], _at(0, 5), False),
        ([_at(6, 9)], _at(0, 5), True),
        ([_at(0, 40), _at(2, 3)], _at(30, 31), False),
        ([_at(0, 3), _at(2, 8), _at(20, 21)], _at(8, 19), False),
        ([_at(0, 3), _at(20, 21)], _at(4, 19), True),
        ([_at(0, 5, "other")], _at(0, 5), True),
        ([_at(0, 5, "other", 327)], _at(0, 5, "weak-hash", 327, 328), False),
    ],
)
def test_of_one_matter_at_one_place_ours_is_said(
    ours: list[Finding], theirs: Finding, *, said: bool
) -> None:
    assert ruff.complementing(ours, [theirs]) == ([theirs] if said else [])


def test_one_server_answers_many(monkeypatch: pytest.MonkeyPatch) -> None:
    ruff.ruff_findings(_python(_SNMP))
    monkeypatch.setattr(ruff, "_binary", lambda: "no-such-program")
    assert ruff.ruff_findings(_python(_SNMP))


def test_a_missing_ruff_is_named_in_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ruff, "_binary", lambda: "no-such-program")
    analysis = analyse(_python(_SNMP))
    assert analysis.findings == ()
    assert "cannot be started" in analysis.notes[0]


def test_a_package_that_is_not_installed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ruff", None)
    with pytest.raises(ruff.RuffError, match="not installed"):
        ruff.ruff_findings(_python(_SNMP))


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("import time; time.sleep(60)", "in time"),
        ("pass", "ended"),
        ("print('Content-Length: 2\\r\\n\\r\\n[]', end='', flush=True)", "ended"),
    ],
)
def test_a_server_that_does_not_answer_ends_and_another_one_is_started(
    monkeypatch: pytest.MonkeyPatch, program: str, words: str
) -> None:
    monkeypatch.setattr(ruff, "START_SECONDS", 0.3 if "sleep" in program else 5.0)
    server = ruff.RuffServer((sys.executable, "-c", program))
    with pytest.raises(ruff.RuffError, match=words):
        server.check("")
    assert not server.alive
    monkeypatch.setattr(ruff, "START_SECONDS", 5.0)
    assert ruff.ruff_findings(_python(_SNMP))


def test_an_ended_server_is_replaced() -> None:
    assert ruff.ruff_findings(_python(_SNMP))
    ruff.close()
    ruff.close()
    assert ruff.ruff_findings(_python(_SNMP))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[codes", "the file"),
        ("[codes]\nS1 = { rule = 'none' }", "no rule 'none'"),
    ],
)
def test_a_wrong_table_says_what_is_wrong(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "catalogue.toml").write_text("")
    (tmp_path / ruff.FILE).write_text(text)
    with pytest.raises(RuleFileError, match=words):
        ruff.codes(tmp_path)
