"""What excuses a finding is around its place, in code."""

from __future__ import annotations

import pytest

from coai_agents.analysis.run.analyzer import analyse
from coai_agents.source import Source


def _rules(language: str, text: str) -> set[str]:
    return {each.rule for each in analyse(Source("untitled:x", text, language)).findings}


_MAIL = "import smtplib\ndef send():\n    s = smtplib.SMTP('mail.example.org')\n{}    s.quit()\n{}"


@pytest.mark.parametrize(
    ("inside", "outside", "silent"),
    [
        ("", "", False),
        ("    s.starttls()\n", "", True),
        ("    # s.starttls()\n", "", False),
        ("", "def other(s):\n    s.starttls()\n", False),
        ("", "# starttls()\n", False),
    ],
)
def test_only_the_code_of_the_function_excuses(inside: str, outside: str, *, silent: bool) -> None:
    assert ("cleartext" not in _rules("python", _MAIL.format(inside, outside))) is silent


_JS = """const path = require('path'); const fs = require('fs'); const ROOT = path.resolve('/srv');
app.get('/x', (req, res) => {{
  const full = path.resolve(ROOT, req.query.f);
  {}
}});
"""


@pytest.mark.parametrize(
    ("body", "silent"),
    [
        ("res.json(full);", False),
        ("fs.readFile(full, done);", False),
        ("if (!full.startsWith(ROOT + path.sep)) return; fs.readFile(full, done);", True),
        # How it begins says nothing before it is made normal.
        ("if (!req.query.f.startsWith(ROOT)) return; fs.readFile(full, done);", False),
        ("const rel = path.relative(ROOT, full); if (rel.startsWith('..')) return;", True),
    ],
)
def test_a_test_behind_takes_an_early_finding_back(body: str, *, silent: bool) -> None:
    assert ("path-traversal" not in _rules("javascript", _JS.format(body))) is silent


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("const sessionToken = Math.random().toString(36);", "warning"),
        ("const token = 1; const delay = Math.random() * 1000;", "information"),
    ],
)
def test_what_a_number_is_for_decides_about_it(text: str, found: str) -> None:
    analysis = analyse(Source("untitled:x", f"{text}\n", "javascript"))
    assert [e.severity.value for e in analysis.findings if e.rule == "weak-random"] == [found]
