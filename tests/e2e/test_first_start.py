"""The first start on a machine without `coai`: the extension sets its server up, and away again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs
import pytest

from tests.e2e.code_server import code_server
from tests.e2e.conftest import MODEL, server_variables
from tests.e2e.workbench import Workbench

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from tests.e2e.code_server import CodeServer
    from tests.e2e.tools import VsCode

SETUP_SECONDS = 300


@pytest.fixture(scope="module")
def bare(
    tools: VsCode,
    vsix: Path,
    models: Path,
    workspace: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[CodeServer]:
    """Run VS Code where there is a Python and no `coai`."""
    programs = tmp_path_factory.mktemp("bin")
    python = Path(sys.base_prefix) / "bin" / "python3"
    (programs / "python3").symlink_to(python.resolve())
    variables = {
        **server_variables(models),
        "PATH": f"{programs}:/usr/bin:/bin",
        # What pip has fetched before need not be fetched for a home of the test's own.
        "PIP_CACHE_DIR": str(platformdirs.user_cache_path("pip")),
    }
    home = tmp_path_factory.mktemp("bare")
    with code_server(tools, vsix, home, workspace, variables=variables) as running:
        yield running


def test_the_server_is_set_up_and_removed_again(bare: CodeServer, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    workbench = Workbench(page, bare.url)
    said = workbench.notification("COAI needs its server")
    workbench.picture("set-up")
    said.get_by_text("Set Up").click()
    workbench.wait(
        lambda: MODEL in workbench.status().inner_text(),
        "the model completes",
        seconds=SETUP_SECONDS,
    )
    environments = list((bare.home / "user").rglob("complete"))
    assert len(environments) == 1
    program = environments[0].parent / "bin" / "coai"
    assert any(str(program) in process.cmdline() for process in bare.language_servers())

    # Whoever wants another one makes it anew, and whoever wants none takes it away.
    workbench.run("COAI: Remove the Server That Was Set Up")
    workbench.dialog("Remove")
    workbench.wait(lambda: not program.exists(), "the environment is gone")
    workbench.wait_until_told("COAI's server was not found.")
    workbench.status().click()
    assert "Set Up the Server" in workbench.rows("Show Log")[0]
    workbench.close_list()
    errors = [*workbench.errors]
    page.close()
    assert errors == []
