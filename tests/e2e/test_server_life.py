"""What happens when the server or the engine dies, and on the user's own restart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.e2e.completing import completes
from tests.e2e.conftest import MODEL

if TYPE_CHECKING:
    from tests.e2e.code_server import CodeServer
    from tests.e2e.workbench import Workbench


def completes_in_a_file(workbench: Workbench, code: CodeServer, name: str) -> bool:
    """Say whether a new function is completed; the file is as it was afterwards."""
    workbench.open("basket.py")
    seen = completes(workbench, code, name)
    workbench.press("Escape")
    workbench.close_editors()
    return seen


def servers(code: CodeServer) -> set[int]:
    """Return the process ids of the servers of all windows."""
    return {process.pid for process in code.language_servers()}


def test_a_killed_server_comes_back_and_completes(workbench: Workbench, code: CodeServer) -> None:
    assert completes_in_a_file(workbench, code, "first")
    before = servers(code)
    for process in code.language_servers():
        process.kill()
    workbench.wait(lambda: servers(code) - before != set(), "there is a new server")
    workbench.wait_for_status(MODEL)
    assert completes_in_a_file(workbench, code, "after_the_server")


def test_a_killed_engine_comes_back_and_completes(workbench: Workbench, code: CodeServer) -> None:
    before = {process.pid for process in code.engines()}
    assert before
    for process in code.engines():
        process.kill()
    workbench.wait(
        lambda: {process.pid for process in code.engines()} - before != set(),
        "there is a new engine",
    )
    workbench.wait_for_status(MODEL)
    assert completes_in_a_file(workbench, code, "after_the_engine")


def test_the_user_restarts_the_server(workbench: Workbench, code: CodeServer) -> None:
    before = servers(code)
    workbench.run("COAI: Restart the Server")
    workbench.wait(lambda: servers(code) - before != set(), "there is a new server")
    workbench.wait_for_status(MODEL)
    assert completes_in_a_file(workbench, code, "after_a_restart")


def test_a_server_that_keeps_dying_is_left_alone_and_the_user_asked(
    workbench: Workbench, code: CodeServer
) -> None:
    # A restart by the user forgets the crashes of the tests before.
    ended = servers(code)
    workbench.run("COAI: Restart the Server")
    for _ in range(5):
        workbench.wait(lambda: servers(code) - ended != set(), "there is a new server")
        workbench.wait_for_status(MODEL)
        for process in code.language_servers():
            ended.add(process.pid)
            process.kill()
    said = workbench.notification("left alone")
    said.get_by_text("Restart").click()
    # VS Code writes the errors that it shows to the console too.
    workbench.forgive("left alone")
    workbench.wait_for_status(MODEL)
    assert completes_in_a_file(workbench, code, "after_all")
