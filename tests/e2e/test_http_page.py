"""The page of `coai http` in a real browser: by keyboard, in the dark and in the light."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Error

from tests.e2e.workbench import PICTURES
from tests.server.http.support import running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from tests.server.http.support import Door


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with running(tmp_path_factory.mktemp("page"), None) as door:
        yield door


def opened(browser: Browser, door: Door, scheme: str) -> Page:
    """Sign in by keyboard."""
    context = browser.new_context(
        color_scheme="dark" if scheme == "dark" else "light",
        viewport={"width": 1000, "height": 720},
    )
    page = context.new_page()
    page.goto(door.url)
    # The field has the focus.
    page.keyboard.type(door.token())
    page.keyboard.press("Enter")
    page.wait_for_url(f"{door.url}/")
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_run_is_followed_and_answered_by_keyboard(
    browser: Browser, door: Door, scheme: str
) -> None:
    with door.client() as client:
        run = client.post("/v1/runs", json={"ensemble": "asking", "model": False}).json()["run"]
    page = opened(browser, door, scheme)
    problems: list[str] = []
    page.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(f"{door.url}/runs/{run}")
    page.get_by_text("Shall it go on?").wait_for()
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.value") == "yes":
            break
    page.keyboard.press("Enter")
    page.locator("h1 .state.done").wait_for()
    assert page.locator("g.node.done").count() == 2
    PICTURES.mkdir(exist_ok=True)
    page.screenshot(path=PICTURES / f"page-run-{scheme}.png")
    backgrounds = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert backgrounds == {"light": "rgb(255, 255, 255)", "dark": "rgb(21, 24, 28)"}[scheme]
    assert problems == []
    page.context.close()


def test_steps_appear_while_they_end_and_no_script_of_a_page_runs(
    browser: Browser, door: Door
) -> None:
    page = opened(browser, door, "light")
    with door.client() as client:
        asked = {"ensemble": "many", "input": ["shop.py"] * 40, "model": False}
        run = client.post("/v1/runs", json=asked).json()["run"]
    page.goto(f"{door.url}/runs/{run}")
    page.locator("h1 .state.done").wait_for()
    assert page.locator("#steps tbody tr").count() >= 40
    with pytest.raises(Error, match="Content Security Policy"):
        page.add_script_tag(content="document.title = 'owned'")
    page.goto(f"{door.url}/findings")
    page.get_by_text("weak-hash").wait_for()
    page.screenshot(path=PICTURES / "page-findings.png")
    page.context.close()
