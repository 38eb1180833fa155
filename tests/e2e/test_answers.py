"""Answers of specialists in the real editor: judged, explained from a lightbulb, seen as lenses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import MODEL
from tests.e2e.workbench import PATIENCE_MS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.code_server import CodeServer
    from tests.e2e.workbench import Workbench

NAME = "prices.py"
TEXT = "def slow(rows):\n    return sum(rows)\n\n\ndef quick():\n    return 0\n"
COMPLAINING = "names.ts"
PROFILE = {
    "$schema": "https://www.speedscope.app/file-format-schema.json",
    "shared": {"frames": [{"name": "slow", "file": NAME, "line": 1}]},
    "profiles": [
        {"type": "sampled", "name": "p", "unit": "seconds", "startValue": 0, "endValue": 10,
         "samples": [[0]], "weights": [10]}
    ],
}  # fmt: skip


@pytest.fixture(autouse=True)
def prices(workspace: Path, workbench: Workbench, code: CodeServer) -> Iterator[Path]:
    """Open a file with a function to speak of."""
    code.forget_settings()
    path = workspace / NAME
    path.write_text(TEXT, encoding="utf-8")
    workbench.open(NAME, 1)
    workbench.wait_for_status(MODEL)
    yield path
    workbench.press("Escape")
    workbench.close_editors()
    path.unlink()


def test_an_explanation_is_judged_by_a_click_above_it(workbench: Workbench) -> None:
    workbench.run("COAI: Explain This Code")
    button = workbench.page.locator(
        ".editor-actions a.action-label[aria-label^='This Answer Was Helpful']"
    )
    expect(button.first).to_be_visible(timeout=PATIENCE_MS)
    workbench.picture("answer", size=(920, 440))
    button.first.click()
    told = workbench.page.locator(".statusbar-item", has_text="Noted as helpful: explain")
    expect(told.first).to_be_visible(timeout=PATIENCE_MS)
    workbench.run("COAI: This Answer Was Not Helpful")
    told = workbench.page.locator(".statusbar-item", has_text="Noted as not helpful: explain")
    expect(told.first).to_be_visible(timeout=PATIENCE_MS)


def test_a_profile_stands_above_its_functions(workbench: Workbench, prices: Path) -> None:
    profile = prices.with_name("p.speedscope.json")
    profile.write_text(json.dumps(PROFILE), encoding="utf-8")
    lens = workbench.page.locator(".codelens-decoration", has_text="100% of seconds")
    try:
        workbench.run("COAI: Show What a Profile Says")
        box = workbench.page.locator(".quick-input-widget input[type=text]").first
        expect(box).to_be_visible(timeout=PATIENCE_MS)
        box.fill(str(profile))
        workbench.accept(box)
        expect(lens.first).to_be_visible(timeout=PATIENCE_MS)
        workbench.picture("profile", size=(720, 300))
        workbench.run("COAI: Hide What the Profile Says")
        expect(lens).to_have_count(0, timeout=PATIENCE_MS)
    finally:
        profile.unlink()


def test_links_stand_above_functions_where_they_are_wanted(
    workbench: Workbench, code: CodeServer
) -> None:
    link = workbench.page.locator(".codelens-decoration", has_text="Document")
    expect(link).to_have_count(0)
    code.set(coai__agents__lenses=True)
    expect(link.first).to_be_visible(timeout=PATIENCE_MS)
    code.set(coai__agents__lenses=None)
    expect(link).to_have_count(0, timeout=PATIENCE_MS)


def test_what_another_server_reports_is_explained(workbench: Workbench, workspace: Path) -> None:
    path = workspace / COMPLAINING
    path.write_text("const total = 1;\nconsole.log(totl);\n", encoding="utf-8")
    try:
        workbench.open(COMPLAINING, 2)
        expect(workbench.squiggles("error").first).to_be_visible(timeout=PATIENCE_MS)
        workbench.press("End", "ArrowLeft", "ArrowLeft", "ArrowLeft", "Control+.")
        row = workbench.page.locator(
            ".action-widget .monaco-list-row", has_text="Explain: Cannot find name"
        )
        expect(row.first).to_be_visible(timeout=PATIENCE_MS)
        workbench.picture("explain-diagnostic", size=(640, 340))
        row.first.click()
        body = workbench.page.frame_locator("iframe.webview.ready").last.frame_locator(
            "iframe#active-frame"
        )
        shown = body.locator(".markdown-body")
        expect(shown).to_contain_text("Root cause", timeout=PATIENCE_MS)
    finally:
        workbench.close_editors()
        path.unlink()


def test_what_is_remembered_is_listed(workbench: Workbench) -> None:
    workbench.run("COAI: Show and Forget What Is Remembered")
    workbench.notification("Nothing of this folder is remembered.")
    workbench.clear_notifications()
