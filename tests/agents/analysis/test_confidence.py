"""Severity says who decides a value, confidence how much of its way was seen."""

from __future__ import annotations

import pytest

from coai_agents.analysis.findings.encoding import from_document, to_document
from coai_agents.analysis.findings.preferences import Preferences
from coai_agents.analysis.run.analyzer import analyse
from coai_agents.source import Source
from coai_routing.settings.findings_sections import StaticSettings

_VIEW = """import os, subprocess, flask, helpers
from flask import request
app = flask.Flask(__name__)
@app.route("/")
def view(db):
    v = request.args["v"]
"""


def _axes(body: str) -> list[tuple[str, str, str]]:
    text = _VIEW + "".join(f"    {line}\n" for line in body.split("\n"))
    found = analyse(Source("untitled:x", text, "python")).findings
    return [(each.rule, each.severity.value, each.confidence.value) for each in found]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("db.execute('SELECT ' + v)", [("sql-injection", "error", "high")]),
        # A test that nobody understands may have made it harmless.
        (
            "if helpers.looks_good(v):\n    db.execute('SELECT ' + v)",
            [("sql-injection", "error", "medium")],
        ),
        ("os.system(os.environ['v'])", [("command-injection", "warning", "high")]),
        (
            "w = os.environ['v']\nif helpers.looks_good(w):\n    db.execute('SELECT ' + w)",
            [("sql-injection", "information", "medium")],
        ),
        # It is not known who decides.
        (
            "import other\ndb.execute('SELECT * FROM t WHERE a = ' + other.part)",
            [("sql-injection", "information", "low")],
        ),
        # By the name of what wraps the library, and by the text.
        (
            "helpers.run_query('SELECT * FROM t WHERE a = ' + v)",
            [("sql-injection", "error", "high")],
        ),
        ("helpers.log_query('SELECT * FROM t WHERE a = ' + v)", []),
        ("helpers.run_prompt('Select one of these: ' + v)", []),
        ("helpers.remote_shell('ping -c 1 ' + v)", [("command-injection", "error", "high")]),
        # What a program decides by itself.
        ("import other\ndb.execute('SELECT * FROM ' + other.TABLE)", []),
        ("import other\ndb.execute('SELECT * FROM ' + other.table_name)", []),
    ],
)
def test_two_axes(body: str, expected: list[tuple[str, str, str]]) -> None:
    injections = ("sql-injection", "command-injection")
    assert [each for each in _axes(body) if each[0] in injections] == expected


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("import subprocess\ndef run(name):\n    subprocess.run(name)\n", False),
        ("def find(db, name):\n    db.execute('SELECT * FROM t WHERE a = ' + name)\n", True),
    ],
)
def test_the_editor_leaves_out_what_is_least_sure(text: str, *, shown: bool) -> None:
    rules = {"command-injection", "sql-injection"}
    analysis = analyse(Source("untitled:x", text, "python"))
    assert rules & {each.rule for each in analysis.findings}

    def seen(**settings: str) -> bool:
        preferences = Preferences.of(StaticSettings.model_validate(settings))
        return bool(rules & {each.rule for each in preferences.applied(analysis).findings})

    assert seen() is shown
    assert seen(confidence="low")
    assert not seen(confidence="high")


def test_confidence_survives_the_way_between_processes() -> None:
    analysis = analyse(
        Source("untitled:x", "import subprocess\ndef f(a):\n    subprocess.run(a)\n", "python")
    )
    assert {each.confidence.value for each in analysis.findings} >= {"low"}
    assert from_document(to_document(analysis)) == analysis
