"""VS Code with the extension and one window of it for all tests; each file begins it anew."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import sync_playwright

from coai_routing.registry.catalog import builtin_catalog
from coai_routing.weights.store import ModelStore
from coai_routing.wiring.configured import data_directory
from tests.e2e.code_server import CodeServer, code_server
from tests.e2e.tools import EXTENSION, ROOT, missing, vs_code
from tests.e2e.workbench import MODEL_SECONDS, PICTURES, Workbench
from tests.support.silent_hub import silent_hub

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from playwright.sync_api import Browser

    from tests.e2e.tools import VsCode

MODEL = "qwen2.5-coder-0.5b"
SAMPLES = ROOT / "server" / "coai_server" / "cli" / "demo" / "samples"
CHROMIUM_OPTIONS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
"""Chromium is to do nothing but show the page."""

_BUILD_SECONDS = 300
_LOG_TAIL = 50_000


@pytest.fixture(scope="session")
def tools() -> VsCode:
    """Return VS Code and a browser, or skip."""
    return vs_code()


@pytest.fixture(scope="session")
def vsix() -> Path:
    """Build the extension as `npm run package` does, the wheel of this tree inside."""
    npm = shutil.which("npm")
    if npm is None or not (EXTENSION / "node_modules").is_dir():
        missing("The extension's packages are missing: run `npm ci` in editor-extension.")
    built = subprocess.run(
        [npm, "run", "package"],
        cwd=EXTENSION,
        capture_output=True,
        text=True,
        timeout=_BUILD_SECONDS,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return EXTENSION / "coai.vsix"


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the real model's weights and no others, or skip.

    Whatever else this machine has: tests speak of models that are not there.
    """
    known = ModelStore(data_directory(), builtin_catalog()).status(MODEL)
    if not known.present:
        missing(f"The model is not on this machine: run `coai models pull {MODEL}`.")
    directory = tmp_path_factory.mktemp("models")
    (directory / known.path.name).symlink_to(known.path)
    return directory


@pytest.fixture(scope="package")
def browser(tools: VsCode) -> Iterator[Browser]:
    """Run the browser.

    No longer than for these tests: while Playwright is open, its event loop counts as running
    in the main thread, and no asynchronous test of another package could start.
    """
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(
            executable_path=tools.chromium,
            args=CHROMIUM_OPTIONS,
        )


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with files to complete in."""
    folder = tmp_path_factory.mktemp("workspace")
    for name in ("basket.py", "distances.ts"):
        shutil.copy(SAMPLES / name, folder)
    return folder


def server_variables(models: Path) -> dict[str, str]:
    """Return what leads the server to the weights, and to no other model server."""
    endpoints = ("OLLAMA", "LMSTUDIO", "LLAMA_SERVER", "VLLM")
    return {
        "COAI_MODELS__DIRECTORY": str(models),
        **{f"COAI_ENDPOINTS__{name}__ENABLED": "false" for name in endpoints},
    }


@pytest.fixture(scope="session")
def own_weights(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file of the user's own, which no catalogue lists: a second model that is there."""
    path = tmp_path_factory.mktemp("own") / "qwen2.5-coder-of-my-own.gguf"
    path.symlink_to(ModelStore(models, builtin_catalog()).path(MODEL))
    return path


@pytest.fixture(scope="package")
def variables(models: Path, own_weights: Path) -> Iterator[dict[str, str]]:
    """Return what leads to this environment's `coai`, and to weights that never come."""
    programs = Path(sys.executable).parent
    with silent_hub() as address:
        yield {
            **server_variables(models),
            # A model on a machine that is busy with other things is slow, and not broken.
            "COAI_COMPLETION__TIMEOUT_MS": str(int(MODEL_SECONDS * 900)),
            "COAI_MODELS__SOURCES": '["huggingface"]',
            "COAI_MODELS__LOCAL_PATHS": json.dumps([str(own_weights.parent)]),
            "HF_ENDPOINT": address,
            "PATH": f"{programs}:/usr/bin:/bin",
        }


@pytest.fixture(scope="package")
def code(
    tools: VsCode,
    vsix: Path,
    variables: dict[str, str],
    workspace: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[CodeServer]:
    """Run VS Code with the extension and the server of this tree."""
    home = tmp_path_factory.mktemp("home")
    with code_server(tools, vsix, home, workspace, variables=variables) as running:
        yield running


@pytest.fixture(scope="package")
def window(code: CodeServer, browser: Browser) -> Iterator[Workbench]:
    """Open a window of VS Code in which the model completes: a new one takes half a minute."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    bench = Workbench(page, code.url)
    bench.wait_for_status(MODEL)
    yield bench
    page.close()


@pytest.fixture(scope="module")
def workbench(
    request: pytest.FixtureRequest, code: CodeServer, window: Workbench
) -> Iterator[Workbench]:
    """Return the window as it was when it was opened; it must end without errors."""
    failed = request.session.testsfailed
    before = code.extension_host_errors()
    window.errors.clear()
    yield window
    errors = [*window.errors, *code.extension_host_errors()[len(before) :]]
    code.forget_settings()
    if request.session.testsfailed != failed:
        # Whatever a test has left behind is not for the next file's.
        window.load()
    else:
        window.clear_notifications()
        window.close_editors()
    window.wait_for_status(MODEL)
    assert errors == []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Function, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep a picture of the window in which a test has failed, and the extension's log."""
    report = yield
    bench = item.funcargs.get("workbench") if hasattr(item, "funcargs") else None
    if report.failed and call.when == "call" and isinstance(bench, Workbench):
        bench.picture(f"failed-{item.name}")
        code = item.funcargs.get("code")
        if isinstance(code, CodeServer):
            log = PICTURES / f"failed-{item.name}.log"
            log.write_text(code.log()[-_LOG_TAIL:], encoding="utf-8")
    return report
