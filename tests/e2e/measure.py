"""Measure what the user of VS Code waits for: `python -m tests.e2e.measure`.

It needs what `tests/e2e` needs, and an extension that `npm run package` has built. Times are taken
inside the page: from the event of a key to the first frame that the browser draws with ghost text.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from benchmarks.support.figures import Spread
from benchmarks.support.report import SPREAD, Bar, Report, options_parser, spread_row
from playwright.sync_api import sync_playwright

from coai_routing.records.usage_reading import reading
from coai_routing.wiring.configured import data_directory
from tests.e2e.code_server import code_server
from tests.e2e.conftest import CHROMIUM_OPTIONS, MODEL, SAMPLES, server_variables
from tests.e2e.tools import EXTENSION, vs_code
from tests.e2e.workbench import GHOST, Workbench

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.e2e.code_server import CodeServer

GHOST_MS: Final = 600.0
ACTIVATION_MS: Final = 100.0

WARM_UP: Final = 3
"""Requests whose time does not count: the model's first ones read the prompt."""

_IDLE_SECONDS: Final = 20.0
_FIRST_WORDS: Final = ("total", "price", "cost", "first", "count", "names", "item", "result")
_LAST_KEYS: Final = ("=", "(", ".", ",")

_STOPWATCH: Final = """selector => new Promise(done => {
    let pressed = null;
    const note = event => { pressed = event.timeStamp; };
    document.addEventListener("keydown", note, true);
    // Looking only when something has changed: a look in every frame takes the processor from the
    // model, which a user's own eyes do not.
    const changes = new MutationObserver(() => {
        const shown = [...document.querySelectorAll(selector)].some(part => part.textContent);
        if (pressed !== null && shown) requestAnimationFrame(now => finish(now - pressed));
    });
    changes.observe(document.body, {subtree: true, childList: true, characterData: true});
    const finish = took => {
        changes.disconnect();
        clearTimeout(limit);
        document.removeEventListener("keydown", note, true);
        done(took);
    };
    const limit = setTimeout(finish, 5000, null);
})"""


def keystroke_to_ghost(workbench: Workbench, text: str) -> float | None:
    """Type text and return the milliseconds from its last key to ghost text; None if none came."""
    page = workbench.page
    workbench.type(text[:-1], delay_ms=30)
    workbench.wait(lambda: workbench.ghost() == "", "no ghost text is left", seconds=10)
    watch = page.evaluate_handle(
        f"selector => {{ window.took = ({_STOPWATCH})(selector); }}", GHOST
    )
    watch.dispose()
    page.keyboard.press(text[-1])
    took: float | None = page.evaluate("() => window.took")
    workbench.press("Escape")
    return took


def latencies(workbench: Workbench, count: int) -> tuple[list[float], int]:
    """Return the milliseconds of warm requests, and how many of all had no suggestion."""
    workbench.open("basket.py")
    workbench.press("Control+End")
    workbench.type("\n\n\ndef total(items: list[Item]) -> float:\n")
    times: list[float] = []
    without = 0
    for number in range(count + WARM_UP):
        word = _FIRST_WORDS[number % len(_FIRST_WORDS)]
        # A name of its own each time, so that no cache knows an answer.
        took = keystroke_to_ghost(workbench, f"    {word}_{number} = sum(")
        if took is None:
            without += 1
        elif number >= WARM_UP:
            times.append(took)
        workbench.press("Shift+Home", "Shift+Home", "Delete")
    return times, without


def requests_of_server(home: Path) -> dict[str, list[float]]:
    """Return what the server's ledger has of suggestions that the model wrote for `latencies`."""
    path = home / ".local" / "state" / "coai" / "ledger.sqlite3"
    with reading(path) as ledger:
        rows = [past.request for past in ledger.requests(1000)]
    rows = [row for row in rows if row.origin == "model"][WARM_UP:]
    return {
        "in the server": [row.elapsed_ms for row in rows],
        "(prompt tokens read)": [float(row.evaluated_tokens) for row in rows],
        "(tokens written)": [float(row.output_tokens) for row in rows],
    }


def flicker(workbench: Workbench, count: int) -> tuple[int, int]:
    """Return frames while typing as suggested, and how many of them had no ghost text."""
    frames: list[str] = []
    for number in range(count):
        workbench.type(f"    along_{number} = sum(", delay_ms=30)
        ghost = workbench.wait_for_ghost()
        along = ghost.split("\n")[0][:4]
        frames += workbench.frames_while(lambda text=along: workbench.type(text, delay_ms=120))
        workbench.press("Escape", "Shift+Home", "Shift+Home", "Delete")
    return len(frames), sum(1 for frame in frames if not frame)


def idle_share(code: CodeServer) -> tuple[float, float]:
    """Return the extension host's CPU while nothing happens, in percent, and wake-ups a second."""
    host = code.extension_host()
    time.sleep(5.0)
    before, woken = host.cpu_times(), host.num_ctx_switches().voluntary
    time.sleep(_IDLE_SECONDS)
    after, awake = host.cpu_times(), host.num_ctx_switches().voluntary
    used = after.user + after.system - before.user - before.system
    return 100 * used / _IDLE_SECONDS, (awake - woken) / _IDLE_SECONDS


def intervals_in_bundle() -> int:
    """Return how often what is shipped starts a repeating timer of its own."""
    bundle = (EXTENSION / "dist" / "extension.js").read_text(encoding="utf-8")
    # The protocol's library wraps the function for others, and nothing here calls the wrapper.
    wrapped = r"setInterval\((\w+),(\w+),\.\.\.(\w+)\)\{let \w+=setInterval\(\1,\2,\.\.\.\3\)"
    return len(re.findall(r"\bsetInterval\b", re.sub(wrapped, "", bundle)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit code."""
    parser = options_parser("vscode", "Measure ghost text, activation and idling in VS Code.")
    parser.prog = "python -m tests.e2e.measure"
    parser.add_argument("--requests", type=int, default=20, help="warm requests (20)")
    options = parser.parse_args(arguments)
    report = Report("VS Code")
    os.environ.setdefault("E2E_TESTS", "1")
    with tempfile.TemporaryDirectory(prefix="coai-vscode-") as name:
        home, folder = Path(name, "home"), Path(name, "workspace")
        folder.mkdir()
        shutil.copy(SAMPLES / "basket.py", folder)
        variables = {
            **server_variables(data_directory()),
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        }
        tools = vs_code()
        vsix = EXTENSION / "coai.vsix"
        with (
            code_server(tools, vsix, home, folder, variables=variables) as code,
            sync_playwright() as playwright,
        ):
            browser = playwright.chromium.launch(
                executable_path=tools.chromium, args=CHROMIUM_OPTIONS
            )
            workbench = Workbench(browser.new_page(), code.url)
            workbench.wait_for_status(MODEL)
            times, without = latencies(workbench, options.requests)
            frames, dark = flicker(workbench, 3)
            cpu, wakes = idle_share(code)
            activated = float(re.findall(r"Activated in ([\d.]+) ms", code.log())[0])
        served = requests_of_server(home)
    spread = Spread.of(times)
    rows = [spread_row("from the key to ghost text in the page", spread)]
    rows += [spread_row(name, Spread.of(figures)) for name, figures in served.items()]
    report.table("Milliseconds of warm requests", SPREAD, rows)
    report.say(f"\n{without} requests of {options.requests + WARM_UP} had no suggestion.")
    report.say(f"Typing as suggested: {frames} frames, {dark} without ghost text.")
    report.say(f"Extension host while idle: {cpu:.1f} % of a core, {wakes:.1f} wake-ups a second.")
    report.keep("milliseconds", times)
    report.hold(
        Bar("keystroke to ghost text, warm, median", spread and spread.p50, GHOST_MS, "ms"),
        Bar("frames without ghost text while typing as suggested", dark, 0),
        Bar("activation", activated, ACTIVATION_MS, "ms"),
        Bar("repeating timers in the extension", intervals_in_bundle(), 0),
    )
    return report.finish(options)


if __name__ == "__main__":
    sys.exit(main())
