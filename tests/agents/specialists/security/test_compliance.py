"""Standards as data, and a folder as they see it."""

from __future__ import annotations

from coai_agents.analysis.findings.findings import Severity
from coai_agents.analysis.rules.rules import catalogue
from coai_agents.specialists.security.compliance.standards import standards
from coai_agents.specialists.security.compliance.view import Found, compliance


def test_every_control_says_what_it_cannot_tell_and_has_a_name_of_its_own() -> None:
    assert {each.id for each in standards()} == {*OUTSIDE, "asvs-5", "soc2", "pci-dss-4"}
    for standard in standards():
        names = [each.id for each in standard.controls]
        assert len(set(names)) == len(names)
    counts = {each.id: len(each.controls) for each in standards()}
    assert counts == {"owasp-2021": 10, "owasp-2025": 10, "asvs-5": 17, "soc2": 9, "pci-dss-4": 12}


OUTSIDE = {
    # What a list of web weaknesses does not speak of: load, and what compilers do.
    "owasp-2021": {
        "android-open-component", "settings-protection-off",
        "assert-for-security", "check-then-use", "cleared-too-well", "context-leak",
        "missing-limit", "missing-timeout", "profile-off", "regex-backtracking", "regex-injection",
        "privileges-kept", "unsafe-in-signal-handler", "xml-bomb",
    },
    "owasp-2025": {
        "android-open-component", "check-then-use", "cleared-too-well", "privileges-kept",
        "profile-off", "settings-protection-off", "unsafe-in-signal-handler",
    },
}  # fmt: skip

MEMORY = frozenset({119, 120, 125, 190, 242, 415, 416, 562, 680, 787, 789, 805, 843})


def test_every_security_rule_is_in_some_control_of_each_list() -> None:
    rules = [each for each in catalogue().values() if each.topic == "security"]
    for standard in standards():
        if standard.id in OUTSIDE:
            known = {number for each in standard.controls for number in each.cwe} | MEMORY
            lost = {each.id for each in rules if known.isdisjoint(each.cwe)}
            assert lost == OUTSIDE[standard.id]


def test_a_finding_is_under_every_control_of_its_weakness_and_no_other() -> None:
    found = [
        Found("sql-injection", (89,), Severity.ERROR, "a.py", 3),
        Found("own-rule", (), Severity.ERROR, "a.py", 4),
    ]
    view = compliance(standards(), found, files=1)
    assert view.broken
    under = {
        f"{standard.id} {look.control.id}"
        for standard, looks in view.standards
        for look in looks
        if look.status == "found"
    }
    assert under == {"owasp-2021 A03", "owasp-2025 A05", "asvs-5 V1", "soc2 CC7", "pci-dss-4 6"}
    assert view.weaknesses() == [(89, 1)]
    assert "**A03**: `a.py:3` sql-injection" in view.as_markdown()


def test_what_nobody_looked_for_is_not_called_clean() -> None:
    view = compliance(standards(), [], files=0)
    assert not view.broken
    states = {
        f"{standard.id} {look.control.id}": look.status
        for standard, looks in view.standards
        for look in looks
    }
    assert states["asvs-5 V17"] == states["soc2 CC1"] == states["pci-dss-4 9"] == "not looked at"
    assert states["owasp-2025 A05"] == "nothing found"
    document = view.as_json()
    unseen = {
        look["id"]: look["weaknessesNotLookedFor"] for look in document["standards"][0]["controls"]
    }
    assert 862 in unseen["A01"]


def test_a_hostile_name_is_text_in_the_document() -> None:
    name = "a`|<img src=x>[x](http://e.vil)\u202e.py"
    view = compliance(standards(), [Found("xss", (79,), Severity.ERROR, name, 1)], files=1)
    lines = [line for line in view.as_markdown().splitlines() if "e.vil" in line]
    assert lines
    assert all("\u202e" not in line for line in lines)
    assert all(line.startswith("- **") and "``a`|<img" in line for line in lines)
