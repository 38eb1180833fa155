"""Cloud vendors: a key goes to the server and to no file, and completions only where allowed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.e2e.conftest import MODEL
from tests.e2e.workbench import PATIENCE_MS
from tests.support.cloud_server import cloud_server

if TYPE_CHECKING:
    from tests.e2e.code_server import CodeServer
    from tests.e2e.workbench import Workbench

KEY = "sk-ant-api03-only-for-this-test"


def sources(workbench: Workbench) -> dict[str, str]:
    """Return what is said of each vendor's key."""
    workbench.run("COAI: Sign In to a Cloud Provider")
    rows = workbench.rows("Anthropic")
    workbench.close_list()
    return {name: row for name in ("Anthropic", "OpenAI") for row in rows if name in row}


def sign_in(workbench: Workbench, vendor: str) -> None:
    """Give the key for a vendor; what is said then is left to be seen."""
    workbench.run("COAI: Sign In to a Cloud Provider")
    workbench.pick(vendor)
    box = workbench.page.locator(".quick-input-widget input[type=password]")
    expect(box).to_be_visible(timeout=PATIENCE_MS)
    box.fill(KEY)
    workbench.picture("sign-in", size=(720, 300))
    workbench.press("Enter")


def at_the_end(workbench: Workbench) -> bool:
    """Go to the end of the document, once it has the focus; say whether the cursor is there."""
    workbench.press("Control+End")
    return "Ln 1," not in workbench.page.locator(".statusbar").inner_text()


def sign_out(workbench: Workbench, vendor: str) -> None:
    """Have the key for a vendor forgotten."""
    workbench.run("COAI: Sign Out of a Cloud Provider")
    workbench.pick(vendor)
    workbench.notification("is forgotten")
    workbench.clear_notifications()


def test_a_key_is_kept_handed_over_at_each_start_and_forgotten(
    workbench: Workbench, code: CodeServer
) -> None:
    assert "no key" in sources(workbench)["Anthropic"]
    sign_in(workbench, "Anthropic")
    workbench.notification("Nothing is sent there as long as")
    workbench.clear_notifications()
    assert "its key is in the editor" in sources(workbench)["Anthropic"]
    assert "no key" in sources(workbench)["OpenAI"]

    before = {process.pid for process in code.language_servers()}
    workbench.run("COAI: Restart the Server")
    workbench.wait(
        lambda: {process.pid for process in code.language_servers()} - before != set(),
        "there is a new server",
    )
    workbench.wait_for_status("qwen")
    assert "its key is in the editor" in sources(workbench)["Anthropic"]

    sign_out(workbench, "Anthropic")
    assert "no key" in sources(workbench)["Anthropic"]
    workbench.run("COAI: Sign Out of a Cloud Provider")
    workbench.notification("No key is kept here.")
    workbench.clear_notifications()

    files = [path for path in code.home.rglob("*") if path.is_file()]
    assert files
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []


def test_where_no_model_is_here_one_in_the_cloud_completes_and_it_is_said(
    workbench: Workbench, code: CodeServer
) -> None:
    with cloud_server() as cloud:
        cloud.answer = "sum(item.price for item in items)"
        code.set(
            coai__engine__enabled=False,
            coai__routing__allowCloud=True,
            coai__completion__allowCloud=True,
            coai__cloud__openai__url=f"{cloud.url}/v1",
            coai__budget__dailyUsd=1,
        )
        workbench.open("basket.py")
        workbench.wait_until_told("No model can complete.")
        sign_in(workbench, "OpenAI")
        workbench.notification("OpenAI may be asked now.")
        workbench.clear_notifications()
        workbench.wait_until_told("completions leave it, to gpt-")
        workbench.open("basket.py")
        workbench.wait(lambda: at_the_end(workbench), "the cursor is at the end")
        workbench.page.keyboard.insert_text(
            "\n\ndef total(items: list[Item]) -> float:\n    return"
        )
        workbench.type(" ")
        assert workbench.wait_for_ghost() == cloud.answer
        expect(workbench.status().locator(".codicon-cloud")).to_be_visible(timeout=PATIENCE_MS)
        workbench.wait_for_status(r"gpt-\S+ [\d.]+ m?s \$0\.00\d\d")
        details = workbench.page.locator(".monaco-hover", has_text="Cloud: allowed, and gpt-")
        workbench.hold(workbench.status(), details, "the details are shown")
        expect(details.first).to_contain_text(re.compile(r"Spent: \$0\.00\d\d of \$1\.00 today\."))
        workbench.picture("cloud")
        workbench.press("Escape")
        workbench.run("COAI: Show Privacy Report")
        workbench.wait(lambda: "0.0.0.0" in workbench.preview(), "the departure is told")
        assert "completions leave it, to gpt-" in workbench.preview()
        workbench.close_editors()
        sign_out(workbench, "OpenAI")
    code.forget_settings()
    workbench.wait_for_status(MODEL)
