"""Findings as the user meets them: seen, explained, fixed, looked for in the whole workspace."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.e2e.workbench import PATIENCE_MS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.workbench import Workbench

NAME = "offer.py"
HEAD = "import ast\nimport hashlib\n\nfrom flask import request\n\n\n"
FLAW = (
    'def amount() -> object:\n    text = request.args["amount"]\n    print(text)\n'
    "    return eval(text)\n"
)
LATER = "\n\ndef later(rows=[]):\n    return rows\n"
DOCUMENTED = (
    'def halve(number: float) -> float:\n    """Return the half of a number."""\n'
    "    return number / 2\n"
)
OWN_RULE = """\
id: no-shouting
language: python
severity: warning
message: Speak softly.
rule:
  pattern: shout($$$)
"""
FLAW_LINE = 10
FIX = "Read a literal with ast.literal_eval"
MANY = 1500
"""Files that take long enough to be analysed for somebody to stop it."""


@pytest.fixture
def offer(workspace: Path, workbench: Workbench) -> Iterator[Path]:
    """Open a file that has nothing to find yet."""
    path = workspace / NAME
    path.write_text(HEAD, encoding="utf-8")
    workbench.open(NAME)
    yield path
    workbench.press("Escape")
    workbench.close_editors()
    path.unlink()


def write(workbench: Workbench, text: str) -> None:
    """Type text at the end of the open file and save it."""
    workbench.press("Control+End")
    # As from the clipboard: what is typed would be completed.
    workbench.page.keyboard.insert_text(text)
    workbench.save()


def test_a_flaw_is_shown_with_its_flow_and_fixed(workbench: Workbench, offer: Path) -> None:
    write(workbench, FLAW)
    squiggle = workbench.squiggles("error")
    expect(squiggle.first).to_be_visible(timeout=PATIENCE_MS)
    workbench.open(NAME, FLAW_LINE)
    workbench.run("Go to Next Problem (Error, Warning, Info)")
    flow = workbench.page.locator(".marker-widget")
    expect(flow).to_contain_text("Data that others control is run as code", timeout=PATIENCE_MS)
    # The steps that the value took, each a place to go to.
    for step in ("comes from the request", "assigned to text", "used here"):
        expect(flow).to_contain_text(step)
    workbench.picture("finding", size=(660, 395))
    workbench.press("Escape")

    workbench.open(NAME, FLAW_LINE)
    fix = workbench.page.locator(".action-widget .monaco-list-row", has_text=FIX)

    def offered() -> bool:
        # A menu closes again when ghost text comes to the cursor meanwhile.
        if not fix.first.is_visible():
            workbench.press("Control+.")
            workbench.page.wait_for_timeout(2_000)
        return fix.first.is_visible()

    workbench.wait(offered, "the fix is in the menu")
    workbench.picture("quick-fix", size=(560, 310))
    fix.first.click()
    expect(squiggle).to_have_count(0, timeout=PATIENCE_MS)
    workbench.save()
    assert "return ast.literal_eval(text)\n" in offer.read_text(encoding="utf-8")
    expect(squiggle).to_have_count(0, timeout=PATIENCE_MS)


def test_the_pointer_on_a_finding_explains_it(workbench: Workbench, offer: Path) -> None:
    write(workbench, FLAW)
    expect(workbench.squiggles("error").first).to_be_visible(timeout=PATIENCE_MS)
    said = workbench.hover("eval", until="Instead:")
    assert "CWE-94" in said
    assert re.search(r"line 8: request\.args\S* comes from the request", said)
    workbench.picture("hover", size=(860, 520))


def test_the_pointer_on_a_symbol_tells_what_it_is(workbench: Workbench, offer: Path) -> None:
    write(workbench, DOCUMENTED)
    said = workbench.hover("halve")
    assert "def halve(number: float) -> float" in said
    assert "Return the half of a number." in said


def test_the_rules_of_a_trusted_workspace_count(
    workbench: Workbench, workspace: Path, offer: Path
) -> None:
    squiggle = workbench.squiggles("warning")
    rules = workspace / ".coai" / "rules"
    rules.mkdir(parents=True)
    try:
        (rules / "shouting.yml").write_text(OWN_RULE, encoding="utf-8")
        write(workbench, 'shout("here")\n')
        expect(squiggle.first).to_be_visible(timeout=PATIENCE_MS)
        assert "Speak softly." in workbench.hover("shout")
    finally:
        shutil.rmtree(workspace / ".coai")
    # Without them it is not found any more.
    write(workbench, "\n")
    expect(squiggle).to_have_count(0, timeout=PATIENCE_MS)


def test_all_that_can_be_fixed_in_a_file_is_fixed(workbench: Workbench, offer: Path) -> None:
    write(workbench, FLAW + LATER)
    expect(workbench.squiggles("warning").first).to_be_visible(timeout=PATIENCE_MS)
    expect(workbench.squiggles("error").first).to_be_visible(timeout=PATIENCE_MS)
    workbench.run("COAI: Fix All in This File")
    expect(workbench.squiggles("error")).to_have_count(0, timeout=PATIENCE_MS)
    expect(workbench.squiggles("warning")).to_have_count(0, timeout=PATIENCE_MS)
    workbench.save()
    fixed = offer.read_text(encoding="utf-8")
    assert "ast.literal_eval(text)" in fixed
    assert "def later(rows=None)" in fixed


@pytest.fixture
def unopened(workspace: Path) -> Iterator[Path]:
    """Lay a file with a flaw into the workspace that no editor opens by itself."""
    folder = workspace / "unopened"
    folder.mkdir()
    path = folder / "billing.py"
    path.write_text(HEAD + FLAW, encoding="utf-8")
    yield path
    shutil.rmtree(folder)


def test_the_workspace_is_audited_and_its_problems_are_listed(
    workbench: Workbench, unopened: Path
) -> None:
    workbench.status().click()
    workbench.pick("Audit the Workspace")
    workbench.notification("Found in")
    problems = workbench.page.locator(".markers-panel .monaco-list-row")
    found = problems.filter(has_text="is run as code")
    expect(problems.filter(has_text=unopened.name).first).to_be_visible(timeout=PATIENCE_MS)
    expect(found).to_have_count(1, timeout=PATIENCE_MS)
    workbench.picture("audit")
    workbench.clear_notifications()

    # It stays true: opened and closed it is there, mended by another program it is gone.
    workbench.open(unopened.name)
    expect(workbench.squiggles("error").first).to_be_visible(timeout=PATIENCE_MS)
    expect(found).to_have_count(1, timeout=PATIENCE_MS)
    workbench.close_editors()
    expect(found).to_have_count(1, timeout=PATIENCE_MS)
    unopened.write_text(HEAD, encoding="utf-8")
    expect(found).to_have_count(0, timeout=PATIENCE_MS)
    unopened.write_text(HEAD + FLAW, encoding="utf-8")
    expect(found).to_have_count(1, timeout=PATIENCE_MS)
    workbench.run("COAI: Clear the Audit's Findings")
    expect(found).to_have_count(0, timeout=PATIENCE_MS)
    workbench.run("View: Hide Panel")


def test_an_audit_shows_how_far_it_is_and_can_be_stopped(
    workbench: Workbench, workspace: Path
) -> None:
    folder = workspace / "many"
    folder.mkdir()
    try:
        for number in range(MANY):
            text = f"def one_{number}(a: int) -> int:\n    return a + {number}\n" * 20
            (folder / f"file_{number}.py").write_text(text, encoding="utf-8")
        workbench.run("COAI: Audit the Workspace")
        bar = workbench.notification("auditing the workspace")
        expect(bar).to_contain_text(re.compile(r"\d+ of \d+ files"), timeout=PATIENCE_MS)
        workbench.picture("audit-progress")
        bar.get_by_text("Cancel").click()
        workbench.notification("before the audit was stopped")
        expect(bar).to_be_hidden(timeout=PATIENCE_MS)
    finally:
        shutil.rmtree(folder)
    workbench.run("COAI: Clear the Audit's Findings")
    workbench.clear_notifications()
