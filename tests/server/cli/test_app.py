"""The command line as a whole: help, errors, streams of any kind."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from coai_routing.errors import CoaiError
from coai_server.__main__ import main
from coai_server.cli import app, console
from coai_server.cli.app import EXAMPLES
from coai_server.terminal import printable
from tests.server.cli.conftest import SECONDS

if TYPE_CHECKING:
    from tests.server.cli.conftest import Home, InProcess

COMMANDS = (
    "demo",
    "doctor",
    "complete",
    "audit",
    "rules",
    "serve",
    "models",
    "config",
    "route",
    "privacy",
    "cache",
    "stats",
    "auth",
)


def test_the_help_lists_every_command_and_examples(coai: InProcess) -> None:
    ran = coai("--help")
    assert (ran.code, ran.err) == (0, "")
    for command in COMMANDS:
        assert f" {command} " in ran.out
    for example, _ in EXAMPLES:
        assert example in ran.out


@pytest.mark.parametrize(
    "arguments",
    [(name, "--help") for name in COMMANDS]
    + [("models", name, "-h") for name in ("list", "pull", "remove", "path")]
    + [("config", "show", "-h")],
)
def test_every_command_has_help(coai: InProcess, arguments: tuple[str, ...]) -> None:
    ran = coai(*arguments)
    assert (ran.code, ran.err) == (0, "")
    assert f"coai {' '.join(arguments[:-1])}" in ran.out


def test_the_version(coai: InProcess) -> None:
    ran = coai("--version")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("coai 0.")


@pytest.mark.parametrize("arguments", [("--wrong",), ("wrong",), ("models", "wrong"), ()])
def test_wrong_usage_ends_with_2(coai: InProcess, arguments: tuple[str, ...]) -> None:
    assert coai(*arguments).code == 2


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (CoaiError("It broke.", remedy="Mend it."), 1, "Error: It broke.\nNext: Mend it.\n"),
        (CoaiError("It [broke] :x:."), 1, "Error: It [broke] :x:.\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_a_failure_is_a_message_and_an_exit_code(
    coai: InProcess,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    code: int,
    said: str,
) -> None:
    def fail(**_: object) -> None:
        raise error

    monkeypatch.setattr(app, "app", fail)
    ran = coai("doctor")
    assert (ran.code, ran.out, ran.err) == (code, "", said)


@pytest.mark.parametrize(
    ("arguments", "code"), [(["coai", "serve", "--wrong"], 2), (["coai", "config", "show"], 0)]
)
def test_the_entry_point_runs_what_the_process_was_given(
    coai: InProcess, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int
) -> None:
    monkeypatch.setattr(sys, "argv", arguments)
    try:
        ended = main()
    except SystemExit as exit_:
        ended = exit_.code
    assert ended == code


def test_output_in_an_old_encoding_is_no_crash(home: Home) -> None:
    variables = {
        "PYTHONUTF8": "0",
        "PYTHONIOENCODING": "cp437",
        "COAI_COMPLETION__EXCLUDE": '["\u6587\u4ef6/", "caf\u00e9"]',
    }
    ran = home("config", "show", "--changed", **variables)
    assert (ran.code, ran.err) == (0, "")
    assert "completion.exclude" in ran.out


def test_a_reader_that_goes_away_is_no_crash(home: Home) -> None:
    process = home.popen("config", "show", "--json")
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, err = process.communicate(timeout=SECONDS)
    assert b"Traceback" not in err


class Terminal:
    """A pseudo-terminal that a command has in place of its streams."""

    def __init__(self) -> None:
        import pty  # noqa: PLC0415 (not on Windows)

        self._ours, self._theirs = pty.openpty()

    def run(self, home: Home, *arguments: str, **variables: str) -> tuple[int, str]:
        """Run `coai`; return its exit code and what the terminal got."""
        process = subprocess.Popen(
            [sys.executable, "-m", "coai_server", *arguments],
            env={**home.environment, "TERM": "xterm-256color", **variables},
            cwd=home.folder,
            stdin=self._theirs,
            stdout=self._theirs,
            stderr=self._theirs,
        )
        os.close(self._theirs)
        said = b""
        # The end of the other side is an error on Linux.
        with contextlib.suppress(OSError), open(self._ours, "rb", buffering=0) as ours:  # noqa: PTH123 (a descriptor)
            while piece := ours.read(10_000):
                said += piece
        return process.wait(SECONDS), said.decode()


ON_A_TERMINAL = pytest.mark.skipif(
    sys.platform == "win32", reason="there are no pseudo-terminals on Windows"
)


@ON_A_TERMINAL
@pytest.mark.parametrize(("variables", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colours_are_for_terminals_that_want_them(
    home: Home, variables: dict[str, str], *, coloured: bool
) -> None:
    code, said = Terminal().run(home, "models", "remove", "nothing", **variables)
    assert code == 1
    assert "'nothing' is neither" in said
    assert ("\x1b[1;31m" in said) is coloured


@ON_A_TERMINAL
def test_on_a_terminal_the_doctor_says_what_it_does(home: Home) -> None:
    code, said = Terminal().run(home, "doctor", COAI_ENGINE__ENABLED="false")
    assert code == 1
    # The cursor is hidden while something moves, and is there again in the end.
    assert said.count("\x1b[?25l") == said.count("\x1b[?25h") == 1
    assert "Set engine.enabled to true." in said


def test_a_console_is_as_wide_as_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert console.console(io.StringIO()).width == console.PLAIN_WIDTH


def test_text_for_a_terminal_has_no_controls() -> None:
    assert printable("a\x1b[2J\tb\r\n\x85\x7f\u00e9") == "a [2J\tb \n  \u00e9"
