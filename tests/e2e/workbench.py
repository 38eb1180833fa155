"""The window of VS Code as its user sees it: what is typed into it, and what it shows."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from playwright.sync_api import FloatRect, expect
from playwright.sync_api import TimeoutError as TooLate

from tests.e2e.tools import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import ConsoleMessage, Error, Locator, Page

_ENTERS: Final = 5
_ENTER_MS: Final = 4_000

PICTURES: Final = ROOT / ".e2e"
"""Where the pictures of the last run are."""

PATIENCE_MS: Final = 45_000.0
"""How long to wait for anything. Never reached unless something is wrong."""

MODEL_SECONDS: Final = 90.0
"""How long the model may take on a machine that is busy with other things."""

_LOOK_UP_MS: Final = 5_000.0
_HOVER_MS: Final = 3_000.0

GHOST: Final = ".monaco-editor [class*='ghost-text-decoration'], .monaco-editor .ghost-text-lines"

_HARMLESS: Final = (
    # code-server has no marketplace here, no debugger and no service of the vendor's.
    "Failed to load resource",
    "ERR_INTERNET_DISCONNECTED",
    "ERR_NAME_NOT_RESOLVED",
    "ERR_CONNECTION_REFUSED",
    "marketplace",
    "gallery",
    "vsda",
    "authentication provider 'github'",
)


class Workbench:
    """One browser page with VS Code in it."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.errors: list[str] = []
        """What the console and uncaught rejections said, but for what is code-server's own."""
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", self._console)
        page.on("pageerror", self._uncaught)
        self._url = url
        self.load()

    def load(self) -> None:
        """Open the window, or open it anew."""
        self.page.goto(self._url)
        self.page.wait_for_selector(".monaco-workbench .statusbar-item")

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not any(word in message.text for word in _HARMLESS):
            self.errors.append(message.text)

    def _uncaught(self, error: Error) -> None:
        self.errors.append(f"uncaught: {error}")

    def forgive(self, text: str) -> None:
        """Take out the errors that contain this text, as what a test has brought about."""
        self.errors = [error for error in self.errors if text not in error]

    # ------------------------------------------------------------ quick input

    def run(self, command: str) -> None:
        """Run a command by its title, from the command palette."""
        self.page.keyboard.press("F1")
        self._fill(f">{command}")
        # Commands that were run before come first, whatever fits better.
        exactly = re.compile(rf"^{re.escape(command)}(\.\.\.)?$")
        label = self.page.locator(".label-name", has_text=exactly)
        row = self._rows().filter(has=label).first
        expect(row).to_be_visible(timeout=PATIENCE_MS)
        row.click()

    def pick(self, text: str) -> None:
        """Choose the row of the open list that contains this text."""
        row = self._rows().filter(has_text=text).first
        expect(row).to_be_visible(timeout=PATIENCE_MS)
        row.click()

    def rows(self, containing: str) -> list[str]:
        """Return the rows of the open list, once one of them contains this text."""
        expected = self._rows().filter(has_text=containing).first
        expect(expected).to_be_visible(timeout=PATIENCE_MS)
        return self._rows().all_inner_texts()

    def close_list(self) -> None:
        """Close the open list without choosing."""
        self.page.keyboard.press("Escape")
        expect(self.page.locator(".quick-input-widget")).to_be_hidden(timeout=PATIENCE_MS)

    def _rows(self) -> Locator:
        return self.page.locator(".quick-input-widget .quick-input-list .monaco-list-row")

    def _fill(self, text: str) -> None:
        box = self.page.locator(".quick-input-widget input.input").first
        expect(box).to_be_visible(timeout=PATIENCE_MS)
        box.fill(text)

    # ------------------------------------------------------------------ files

    def open(self, name: str, line: int | None = None) -> None:
        """Open a file of the workspace with the cursor at the end of a line, counted from 1."""
        row = self._rows().first.filter(has_text=PurePosixPath(name).name)

        def found() -> bool:
            # A file that has just been made may be missing from what VS Code has looked up.
            self.page.keyboard.press("Escape")
            self.page.keyboard.press("Control+p")
            self._fill(name if line is None else f"{name}:{line}")
            with suppress(TooLate):
                row.wait_for(timeout=_LOOK_UP_MS)
            return row.is_visible()

        self.wait(found, f"{name} can be opened")
        self.page.keyboard.press("Enter")
        tab = self.page.locator(".tab.active").filter(has_text=PurePosixPath(name).name)
        expect(tab).to_be_visible(timeout=PATIENCE_MS)
        editor = self.page.locator(".editor-instance .monaco-editor.focused")
        expect(editor).to_be_visible(timeout=PATIENCE_MS)
        shown = editor.locator(".view-line").first
        expect(shown).to_be_visible(timeout=PATIENCE_MS)
        if line is not None:
            self.page.keyboard.press("End")

    def close_editors(self) -> None:
        """Close every editor, without saving."""
        self.run("View: Close All Editors")
        ask = self.page.locator(".monaco-dialog-box .monaco-button", has_text="Don't Save")
        gone = self.page.locator(".editor-group-container.empty")
        expect(ask.or_(gone).first).to_be_visible(timeout=PATIENCE_MS)
        if ask.is_visible():
            ask.click()
        expect(gone.first).to_be_visible(timeout=PATIENCE_MS)

    def save(self) -> None:
        """Save the file and wait until it is written."""
        self.page.keyboard.press("Control+s")
        expect(self.page.locator(".tab.active.dirty")).to_have_count(0, timeout=PATIENCE_MS)

    def type(self, text: str, delay_ms: float = 30) -> None:
        """Type as a person does."""
        self.page.keyboard.type(text, delay=delay_ms)

    def accept(self, box: Locator) -> None:
        """Press Enter in a dialog until it takes it: before it has read a folder it takes none."""
        for _ in range(_ENTERS):
            self.press("Enter")
            try:
                box.wait_for(state="hidden", timeout=_ENTER_MS)
            except TooLate:
                continue
            return
        raise AssertionError("The dialog does not close.")

    def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            self.page.keyboard.press(key)

    # ------------------------------------------------------------- ghost text

    def ghost(self) -> str:
        """Return the ghost text that is seen now; empty if there is none."""
        parts = self.page.locator(GHOST).all_inner_texts()
        return "".join(parts).replace("\N{NO-BREAK SPACE}", " ")

    def wait_for_ghost(self) -> str:
        """Wait for ghost text and return it."""
        self.wait(lambda: self.ghost() != "", "there is ghost text", seconds=MODEL_SECONDS)
        return self.ghost()

    def frames_while(self, act: Callable[[], None]) -> list[str]:
        """Return the ghost text of each frame that the browser draws while something is done."""
        self.page.evaluate(
            """selector => {
                window.coaiFrames = [];
                const look = () => {
                    const parts = [...document.querySelectorAll(selector)];
                    window.coaiFrames?.push(parts.map(part => part.textContent).join(""));
                    if (window.coaiFrames) requestAnimationFrame(look);
                };
                requestAnimationFrame(look);
            }""",
            GHOST,
        )
        act()
        frames: list[str] = self.page.evaluate(
            "() => { const seen = window.coaiFrames; window.coaiFrames = null; return seen; }"
        )
        return frames

    def suggest(self) -> str:
        """Ask for a suggestion until there is one, as the model may have none at first."""
        deadline = time.monotonic() + PATIENCE_MS / 1000
        while time.monotonic() < deadline:
            self.run("Trigger Inline Suggestion")
            for _ in range(30):
                if self.ghost():
                    return self.ghost()
                self.page.wait_for_timeout(100)
        raise AssertionError("no ghost text")

    def line(self, start: str) -> str:
        """Return the first line on the screen that starts with this text, ghost text included."""
        for text in self.page.locator(".monaco-editor .view-line").all_inner_texts():
            plain = text.replace("\N{NO-BREAK SPACE}", " ")
            if plain.strip().startswith(start):
                return plain
        return ""

    def picture(self, *name: str, size: tuple[int, int] | None = None) -> None:
        """Keep a picture under this name: of the editor's corner in this size, or of all."""
        PICTURES.mkdir(exist_ok=True)
        path = PICTURES / f"{'-'.join(PurePosixPath(part).stem for part in name)}.png"
        if size is None:
            self.page.screenshot(path=path)
            return
        corner = self.page.locator(".part.editor").bounding_box()
        assert corner is not None
        width, height = size
        # The palette is a little wider than the editor; what has just come is still being faded in.
        clip = FloatRect(x=corner["x"] - 16, y=corner["y"], width=width, height=height)
        self.page.screenshot(path=path, clip=clip, animations="disabled")

    # --------------------------------------------------------------- findings

    def squiggles(self, severity: str) -> Locator:
        """Return the squiggles of a severity: `error`, `warning` or `info`."""
        return self.page.locator(f".monaco-editor .squiggly-{severity}")

    def hover(self, word: str, *, until: str = "") -> str:
        """Hold the pointer on a word of the open file; return what is shown.

        VS Code shows what it knows of a diagnostic before what the server says: `until` is of that.
        """
        on = self.page.locator(".editor-instance .view-line span span", has_text=word).last
        shown = self.page.locator(".monaco-editor .monaco-hover:not(.hidden)")
        whole = shown.filter(has_not_text="Loading...", has_text=until)
        self.hold(on, whole, f"something is shown about {word}")
        return shown.first.inner_text().replace("\N{NO-BREAK SPACE}", " ")

    def hold(self, on: Locator, shown: Locator, what: str) -> None:
        """Hold the pointer on something until this is shown, anew if it went away too soon."""

        def appears() -> bool:
            self.page.mouse.move(600, 300)
            on.hover()
            with suppress(TooLate):
                shown.first.wait_for(timeout=_HOVER_MS)
            return shown.first.is_visible()

        self.wait(appears, what)

    # ------------------------------------------------------------- what it says

    def status(self) -> Locator:
        """Return the item of the status bar."""
        return self.page.locator(".statusbar-item#coai\\.coai\\.coai")

    def wait_for_status(self, pattern: str) -> None:
        """Wait until the item of the status bar says this, icons aside."""
        expect(self.status()).to_contain_text(re.compile(pattern), timeout=PATIENCE_MS)

    def wait_until_told(self, sentence: str) -> None:
        """Wait until the item of the status bar tells whoever cannot see it this."""
        label = re.compile(re.escape(sentence))
        expect(self.status()).to_have_attribute("aria-label", label, timeout=PATIENCE_MS)

    def notification(self, text: str) -> Locator:
        """Wait for a notification that contains this text."""
        found = self.page.locator(".notifications-toasts .notification-list-item").filter(
            has_text=text
        )
        expect(found.first).to_be_visible(timeout=PATIENCE_MS)
        return found.first

    def clear_notifications(self) -> None:
        """Close every notification."""
        self.run("Notifications: Clear All Notifications")

    def dialog(self, button: str) -> None:
        """Press a button of the open dialog."""
        found = self.page.locator(".monaco-dialog-box .monaco-button").filter(has_text=button)
        expect(found.first).to_be_visible(timeout=PATIENCE_MS)
        found.first.click()

    def preview(self) -> str:
        """Return the text of the Markdown preview that is open."""
        outer = self.page.frame_locator("iframe.webview.ready").last
        inner = outer.frame_locator("iframe#active-frame")
        body = inner.locator(".markdown-body")
        expect(body).to_contain_text("COAI", timeout=PATIENCE_MS)
        return body.inner_text()

    def wait(
        self, holds: Callable[[], bool], what: str, *, seconds: float = PATIENCE_MS / 1000
    ) -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, f"waited in vain until {what}"
            self.page.wait_for_timeout(50)
