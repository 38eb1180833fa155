"""The status bar, its menu, and what it leads to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.e2e.completing import completes
from tests.e2e.conftest import MODEL
from tests.e2e.workbench import PATIENCE_MS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.code_server import CodeServer
    from tests.e2e.workbench import Workbench

ENABLED = "coai.completion.enabled"
MODEL_SETTING = "coai.engine.model"


@pytest.fixture(autouse=True)
def an_open_file(workbench: Workbench, code: CodeServer) -> Iterator[None]:
    """Open a Python file with no setting made; what a test has opened is closed again."""
    code.forget_settings()
    workbench.open("basket.py")
    workbench.wait_for_status(MODEL)
    yield
    workbench.press("Escape")
    workbench.close_editors()


def choose(workbench: Workbench, entry: str) -> None:
    """Choose an entry of the menu that a click on the status bar opens."""
    workbench.status().click()
    workbench.pick(entry)


def test_a_click_on_the_status_bar_opens_the_menu(workbench: Workbench) -> None:
    workbench.status().click()
    rows = " ".join(workbench.rows("Show Log"))
    workbench.picture("menu", size=(720, 400))
    for entry in ("Why No Suggestion?", "Turn Completions Off", "Choose the Model", "Show Log"):
        assert entry in rows
    workbench.close_list()


def test_the_pointer_on_the_status_bar_shows_details(workbench: Workbench) -> None:
    details = workbench.page.locator(".monaco-hover", has_text="Nothing leaves this machine")
    workbench.hold(workbench.status(), details, "the details are shown")
    expect(details.first).to_contain_text("Cloud: not allowed for completions.")
    expect(details.first).to_contain_text(re.compile(r"Spent today: \$0\.00(\d\d)?\."))
    workbench.picture("status-bar")
    workbench.page.mouse.move(600, 300)


def test_completions_are_turned_off_and_on(workbench: Workbench, code: CodeServer) -> None:
    choose(workbench, "Turn Completions Off for python")
    workbench.wait(
        lambda: code.setting("coai.completion.languages") == {"python": False},
        "the setting is written",
    )
    workbench.wait_until_told("Completions are off for python.")
    workbench.run("COAI: Turn Completions On or Off for This Language")
    workbench.wait_for_status(MODEL)
    workbench.run("COAI: Turn Completions On or Off")
    workbench.wait(lambda: code.setting(ENABLED) is False, "the setting is written")
    workbench.wait_until_told("Completions are switched off.")
    choose(workbench, "Turn Completions On")
    workbench.wait(lambda: code.setting(ENABLED) is True, "the setting is written")
    workbench.wait_for_status(MODEL)


def test_a_completion_that_is_off_is_explained(workbench: Workbench, code: CodeServer) -> None:
    code.set(coai__completion__enabled=False)
    workbench.wait_until_told("Completions are switched off.")
    workbench.press("Control+End")
    workbench.type("x")
    workbench.wait(lambda: "No suggestion (disabled)" in code.log(), "VS Code has asked")
    workbench.run("COAI: Why No Suggestion?")
    said = workbench.notification("Completions are switched off")
    workbench.picture("why-notification")
    said.get_by_text("Show All").click()
    report = workbench.preview()
    workbench.picture("why", size=(920, 440))
    assert "disabled" in report
    code.set(coai__completion__enabled=None)
    workbench.wait_for_status(MODEL)


def test_snoozed_completions_are_woken(workbench: Workbench) -> None:
    choose(workbench, "Snooze Completions")
    workbench.pick("15 minutes")
    workbench.wait_for_status(r"COAI 15 minutes")
    workbench.run("COAI: Show Menu")
    workbench.pick("Wake Completions")
    workbench.wait_for_status(MODEL)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("COAI: Show Status", "Models that complete"),
        ("COAI: Show Privacy Report", "Completions ask only models on this machine."),
        ("COAI: Show Usage and Spend", "Models on this machine cost nothing."),
        ("COAI: Show the Last Completion Requests", "newest first"),
    ],
)
def test_a_report_is_shown_as_a_document(workbench: Workbench, command: str, said: str) -> None:
    workbench.run(command)
    workbench.wait(lambda: said in workbench.preview(), f"the report says {said!r}")
    workbench.picture("report", command.rpartition(" ")[2].lower())


def test_the_log_is_shown(workbench: Workbench) -> None:
    workbench.run("COAI: Show Log")
    panel = workbench.page.locator(".panel .view-lines")
    expect(panel.first).to_contain_text("coai", timeout=PATIENCE_MS)
    workbench.run("View: Hide Panel")


def test_the_settings_are_shown(workbench: Workbench) -> None:
    workbench.run("COAI: Open Settings")
    settings = workbench.page.locator(".settings-editor")
    expect(settings).to_contain_text("Allow Cloud", timeout=PATIENCE_MS)
    workbench.picture("settings")
    workbench.press("Escape")
    expect(settings).to_be_hidden(timeout=PATIENCE_MS)


def test_the_list_of_models_has_sizes_and_states(workbench: Workbench) -> None:
    workbench.run("COAI: Choose the Local Model")
    rows = {row.split("\n")[0]: row for row in workbench.rows("MB") if "MB" in row}
    workbench.picture("models", size=(720, 300))
    used = next(row for name, row in rows.items() if MODEL in name)
    assert "491 MB, in use" in used
    assert len(rows) > 1
    workbench.close_list()


def test_another_model_is_fetched_only_after_a_yes(workbench: Workbench, code: CodeServer) -> None:
    workbench.run("COAI: Choose the Local Model")
    workbench.pick("to be downloaded")
    workbench.dialog("Cancel")
    assert code.setting("coai.engine.model") is None


def test_another_model_is_chosen_and_completes_and_the_first_one_again(
    workbench: Workbench, code: CodeServer, own_weights: Path
) -> None:
    for value, name, function in (
        (str(own_weights), own_weights.stem, "total"),
        (MODEL, MODEL, "summed"),
    ):
        workbench.run("COAI: Choose the Local Model")
        workbench.pick(name)
        workbench.wait(lambda v=value: code.setting(MODEL_SETTING) == v, "the setting is written")
        workbench.wait_for_status(re.escape(name))
        assert completes(workbench, code, function)
        workbench.run("COAI: Show the Last Completion Requests")
        # The newest that a model wrote; what was known already is told as such.
        written = re.search(r"A suggestion after [^\t\n]+ from (qwen\S+)\.", workbench.preview())
        assert written is not None
        assert written[1] == name
        workbench.close_editors()
        workbench.open("basket.py")


def test_a_missing_model_is_offered_and_its_download_can_be_stopped(
    workbench: Workbench, code: CodeServer
) -> None:
    code.set(coai__engine__model="qwen2.5-coder-1.5b")
    workbench.wait_until_told("qwen2.5-coder-1.5b is not on this machine")
    workbench.run("COAI: Download the Model")
    bar = workbench.notification("COAI: fetching the model")
    workbench.picture("download")
    bar.get_by_text("Cancel").click()
    expect(bar).to_be_hidden(timeout=PATIENCE_MS)
    workbench.wait_until_told("qwen2.5-coder-1.5b is not on this machine")


def test_the_walkthrough_is_shown(workbench: Workbench) -> None:
    workbench.run("Welcome: Open Walkthrough")
    workbench.pick("Get started with COAI")
    page = workbench.page.locator(".gettingStartedContainer")
    expect(page).to_contain_text("Set up the server", timeout=PATIENCE_MS)
    workbench.picture("walkthrough")
