"""Which findings are shown and how severe they are, as the settings say."""

from __future__ import annotations

import pytest

from coai_agents.analysis.findings.preferences import Preferences, names_of, unknown_names
from coai_agents.analysis.run.analyzer import analyse
from coai_agents.source import Source
from coai_routing.settings.findings_sections import StaticSettings

ANALYSIS = analyse(
    Source(
        "file:///w/a.py",
        "import hashlib\nh = hashlib.md5(b'x')\n\ndef f(a=[]):\n    return a\n",
        "python",
    )
)


def shown(**settings: object) -> list[tuple[str, str]]:
    """Return rules and severities of what is shown with these settings."""
    preferences = Preferences.of(StaticSettings.model_validate(settings))
    return [(each.rule, each.severity.value) for each in preferences.applied(ANALYSIS).findings]


HASH, DEFAULT = ("weak-hash", "warning"), ("mutable-default", "warning")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [HASH, DEFAULT]),
        ({"enabled": False}, []),
        ({"disabled": ["weak-hash"]}, [DEFAULT]),
        ({"disabled": ["CWE-327"]}, [DEFAULT]),
        ({"disabled": ["correctness"]}, [HASH]),
        ({"disabled": ["*"]}, []),
        ({"severity": {"security": "error"}}, [("weak-hash", "error"), DEFAULT]),
        (
            {"severity": {"*": "hint", "weak-hash": "error"}},
            [("weak-hash", "error"), ("mutable-default", "hint")],
        ),
        ({"severity": {"*": "hint"}, "minimum_severity": "information"}, []),
        ({"minimum_severity": "error"}, []),
        (
            {"at_least": {"weak-hash": "error"}, "minimum_severity": "error"},
            [("weak-hash", "error")],
        ),
        ({"at_least": {"*": "hint"}}, [HASH, DEFAULT]),
        ({"at_least": {"*": "error"}, "disabled": ["weak-hash"]}, [("mutable-default", "error")]),
    ],
)
def test_settings_decide_what_is_shown(
    settings: dict[str, object], expected: list[tuple[str, str]]
) -> None:
    assert shown(**settings) == expected


def test_a_rule_that_is_off_offers_no_fixes_either() -> None:
    preferences = Preferences.of(StaticSettings(disabled=("weak-hash",)))
    assert not preferences.shows("weak-hash")
    assert preferences.shows("mutable-default")
    assert not Preferences(enabled=False).shows("mutable-default")


def test_names_that_stand_for_nothing_are_told() -> None:
    assert names_of("sql-injection")[:2] == ("sql-injection", "cwe-89")
    assert unknown_names(
        ["Weak-Hash", "cwe-89", "*", "nothing"], ["weak-hash", "sql-injection"]
    ) == ["nothing"]
