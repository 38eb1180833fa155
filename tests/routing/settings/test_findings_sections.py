"""Findings' settings: a project makes them stricter and silences nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coai_routing.settings.markers import RAISE_ENTRIES
from tests.support.settings import Machine

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "static.enabled = false",
        "static.workspace = false",
        'static.minimum_severity = "error"',
        'static.confidence = "high"',
        'static.disabled = ["*"]',
        'static.severity = {security = "hint"}',
        'static.rules = ["/somewhere"]',
        'static.trusted_workspaces = ["/"]',
    ],
)
def test_a_project_silences_no_finding_and_brings_no_rule(machine: Machine, text: str) -> None:
    loaded = machine.load(project=text)
    assert loaded.for_path(machine.workspace / "a.py").static == loaded.own.settings.static
    assert len(loaded.problems) == 1


def test_a_project_raises_severities_and_lowers_none(machine: Machine) -> None:
    loaded = machine.load(
        user='static.at_least = {weak-hash = "warning"}',
        project='static.at_least = {weak-hash = "hint", secret-found = "error"}',
    )
    wanted = {"weak-hash": "warning", "secret-found": "error"}
    assert loaded.for_path(machine.workspace / "a.py").static.at_least == wanted
    (problem,) = loaded.problems
    assert "a project file may only raise severities" in str(problem)


def test_raising_is_a_meet_in_any_order() -> None:
    one, other = {"a": "hint", "b": "error"}, {"a": "warning", "c": "hint"}
    met = RAISE_ENTRIES.meet(one, other)
    assert met == RAISE_ENTRIES.meet(other, one) == {"a": "warning", "b": "error", "c": "hint"}
    assert RAISE_ENTRIES.meet(met, one) == met
    assert [refusal.entry for refusal in RAISE_ENTRIES.refusals({"a": "error"}, other)] == ["a"]
