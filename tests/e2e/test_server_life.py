"""What happens when the server or the engine dies, and on the user's own restart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.e2e.conftest import MODEL

if TYPE_CHECKING:
    from tests.e2e.code_server import CodeServer
    from tests.e2e.workbench import Workbench

HEAD = "\n\ndef {name}(items: list[Item]) -> float:\n    "
BODIES = ("return sum(", "return sum(item.", "for item in ", "return max(item.")
"""What a small model may have nothing to add to; to one of them it has."""

_TRY_SECONDS = 15


def completes(workbench: Workbench, name: str) -> bool:
    """Type something new and see whether it is completed; the file is as it was afterwards."""
    workbench.open("basket.py")
    workbench.press("Control+End")
    seen = False
    for body in BODIES:
        workbench.type(HEAD.format(name=name) + body)
        if seen := workbench.has_ghost_within(_TRY_SECONDS):
            break
    workbench.press("Escape")
    workbench.close_editors()
    return seen


def servers(code: CodeServer) -> set[int]:
    """Return the process ids of the servers of all windows."""
    return {process.pid for process in code.language_servers()}


def test_a_killed_server_comes_back_and_completes(workbench: Workbench, code: CodeServer) -> None:
    assert completes(workbench, "first")
    before = servers(code)
    for process in code.language_servers():
        process.kill()
    workbench.wait(lambda: servers(code) - before != set(), "there is a new server")
    workbench.wait_for_status(MODEL)
    assert completes(workbench, "after_the_server")


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
    assert completes(workbench, "after_the_engine")


def test_the_user_restarts_the_server(workbench: Workbench, code: CodeServer) -> None:
    before = servers(code)
    workbench.run("COAI: Restart the Server")
    workbench.wait(lambda: servers(code) - before != set(), "there is a new server")
    workbench.wait_for_status(MODEL)
    assert completes(workbench, "after_a_restart")


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
    assert completes(workbench, "after_all")
