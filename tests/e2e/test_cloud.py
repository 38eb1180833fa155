"""Signing in to a cloud vendor: the key goes to the server, and to no file and no log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.e2e.workbench import PATIENCE_MS

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


def test_a_key_is_kept_handed_over_at_each_start_and_forgotten(
    workbench: Workbench, code: CodeServer
) -> None:
    assert "no key" in sources(workbench)["Anthropic"]
    workbench.run("COAI: Sign In to a Cloud Provider")
    workbench.pick("Anthropic")
    box = workbench.page.locator(".quick-input-widget input[type=password]")
    expect(box).to_be_visible(timeout=PATIENCE_MS)
    box.fill(KEY)
    workbench.picture("sign-in", size=(720, 300))
    workbench.press("Enter")
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

    workbench.run("COAI: Sign Out of a Cloud Provider")
    workbench.pick("Anthropic")
    workbench.notification("is forgotten")
    workbench.clear_notifications()
    assert "no key" in sources(workbench)["Anthropic"]
    workbench.run("COAI: Sign Out of a Cloud Provider")
    workbench.notification("No key is kept here.")
    workbench.clear_notifications()

    files = [path for path in code.home.rglob("*") if path.is_file()]
    assert files
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []
