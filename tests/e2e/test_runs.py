"""The Runs view in the real editor: a run begun, answered, applied, read, stopped."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from coai_agents.workflows.workers.proposals import edit
from tests.e2e.conftest import MODEL
from tests.e2e.workbench import PATIENCE_MS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.code_server import CodeServer
    from tests.e2e.workbench import Workbench

NAME = "totals.py"
BEFORE = "def total(rows):\n    return sum(rows)\n"
AFTER = "def total(rows):\n    # None is none.\n    return sum(filter(None, rows))\n"
PLAN = """
name: careful change
description: Asks before it proposes.
nodes:
  - {kind: human, name: may, question: May it be changed?, choices: [yes, no]}
  - kind: script
    name: change
    script: propose
    when: may == 'yes'
    output: {edits: [any], summary: text}
"""


@pytest.fixture(autouse=True)
def plan(workspace: Path, code: CodeServer, workbench: Workbench) -> Iterator[Path]:
    """Have an ensemble of the user's, and a file that it is about."""
    own = code.home / ".config" / "coai"
    (own / "ensembles").mkdir(parents=True, exist_ok=True)
    (own / "ensembles" / "careful-change.yaml").write_text(PLAN, encoding="utf-8")
    (own / "scripts").mkdir(exist_ok=True)
    script = own / "scripts" / "propose"
    said = json.dumps({"edits": [edit(NAME, BEFORE, AFTER)], "summary": "one"})
    script.write_text(f"#!/bin/sh\ncat >/dev/null\ncat <<'END'\n{said}\nEND\n", encoding="utf-8")
    script.chmod(0o700)
    path = workspace / NAME
    path.write_text(BEFORE, encoding="utf-8")
    workbench.open(NAME, 1)
    workbench.wait_for_status(MODEL)
    yield path
    workbench.press("Escape")
    workbench.close_editors()
    path.unlink()


def begin(workbench: Workbench) -> None:
    workbench.run("COAI: Run an Ensemble")
    workbench.pick("careful-change")
    box = workbench.page.locator(".quick-input-widget input.input").first
    expect(box).to_have_value(NAME, timeout=PATIENCE_MS)
    workbench.press("Enter")


def chosen(workbench: Workbench, command: str, *rows: str) -> None:
    workbench.run(command)
    for row in rows:
        workbench.pick(row)


def test_a_run_is_answered_applied_and_read(workbench: Workbench, plan: Path) -> None:
    begin(workbench)
    tree = workbench.page.locator(".pane", has_text="COAI Runs").locator(".monaco-list-row")
    expect(tree.filter(has_text="May it be changed?").first).to_be_visible(timeout=PATIENCE_MS)
    workbench.picture("runs", size=None)
    chosen(workbench, "COAI: Answer a Run's Question", "careful change", "yes")
    expect(tree.filter(has_text="1 file would change").first).to_be_visible(timeout=PATIENCE_MS)
    chosen(workbench, "COAI: Apply the Changes of a Run", "careful change")
    preview = workbench.page.locator(".bulk-edit-panel")
    box = preview.locator(".edit-checkbox").first
    expect(box).to_be_visible(timeout=PATIENCE_MS)
    workbench.picture("runs-preview", size=None)
    box.click()
    preview.locator(".monaco-button", has_text="Apply").first.click()
    workbench.notification("1 file changed.")
    assert plan.read_text(encoding="utf-8") in (BEFORE, AFTER), "the editor has it, saved or not"
    workbench.open(NAME, 2)
    workbench.wait(lambda: "None is none" in workbench.line("#"), "the change is in the editor")
    workbench.save()
    assert plan.read_text(encoding="utf-8") == AFTER
    chosen(workbench, "COAI: Open the Report of a Run", "careful change")
    body = workbench.page.frame_locator("iframe.webview.ready").last.frame_locator(
        "iframe#active-frame"
    )
    expect(body.locator(".markdown-body")).to_contain_text(
        "careful change: done", timeout=PATIENCE_MS
    )
    workbench.clear_notifications()


def test_a_run_is_paused_resumed_and_cancelled(workbench: Workbench) -> None:
    begin(workbench)
    tree = workbench.page.locator(".pane", has_text="COAI Runs").locator(".monaco-list-row")
    expect(tree.filter(has_text="May it be changed?").first).to_be_visible(timeout=PATIENCE_MS)
    for command, state in (
        ("COAI: Pause a Run", "paused"),
        ("COAI: Resume a Run", "waits for an answer"),
        ("COAI: Cancel a Run", "cancelled"),
    ):
        chosen(workbench, command, "careful change")
        expect(tree.filter(has_text=state).first).to_be_visible(timeout=PATIENCE_MS)
