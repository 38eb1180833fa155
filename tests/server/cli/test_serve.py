"""`coai serve`, the real process: how it starts, what it says, how it ends."""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from coai_server.daemon import logs
from coai_server.daemon.logs import LogFileError
from tests.server.cli.conftest import SECONDS
from tests.support.lsp_client import ServerProcess

if TYPE_CHECKING:
    from tests.server.cli.conftest import Home, InProcess

SERVE = (sys.executable, "-m", "coai_server", "serve")

# What `_build` is called after: the answer to `initialize` was written.
LISTING = """
import json, sys
from coai_server.lsp import app
build = app._build
def listing(session, **given):
    sys.stderr.write("imported " + json.dumps(sorted(sys.modules)) + "\\n")
    return build(session, **given)
app._build = listing
from coai_server.__main__ import main
sys.argv = ["coai", "serve"]
sys.exit(main())
"""

HEAVY = {
    "aiohttp", "coai_agents", "httpx", "lsprotocol", "ollama", "openai", "pydantic",
    "pydantic_settings", "pygls", "rich", "tree_sitter", "typer", "xllamacpp",
}  # fmt: skip


def server(home: Home, *options: str, program: tuple[str, ...] = SERVE) -> ServerProcess:
    return ServerProcess(*options, program=program, env=home.environment)


def test_before_initialize_is_answered_nothing_heavy_is_imported(home: Home) -> None:
    with server(home, program=(sys.executable, "-c", LISTING)) as client:
        client.initialize()
        line = client.wait_for_log("imported ")
    imported = {name.partition(".")[0] for name in json.loads(line.removeprefix("imported "))}
    assert imported & HEAVY == set()
    assert "coai_server" in imported


def test_over_stdio_it_serves_with_the_settings_of_the_command_line(home: Home) -> None:
    with server(
        home, "--stdio", "--set", "engine.enabled=false", "--set", "completion.max_tokens=many"
    ) as client:
        assert client.initialize()["serverInfo"]["name"] == "coai"
        status = client.call("coai/status", {})
    assert status["problems"] == [
        'command line: completion.max_tokens: expected a whole number from 16 to 1024, got "many"'
    ]
    assert status["phase"] == "off"


def test_the_log_goes_to_the_file_that_is_named(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "logs" / "coai.log"
    with server(home, "--log-level", "debug", "--log-file", str(file)) as client:
        client.initialize()
        client.notify("test/unknown")
        client.settle()
        said = client.log()
    assert "DEBUG" in file.read_text(encoding="utf-8")
    assert "DEBUG" not in said


def test_over_tcp_it_says_where_it_listens_and_ctrl_c_ends_it(home: Home) -> None:
    process = home.popen("serve", "--tcp", "127.0.0.1:0")
    assert process.stderr is not None
    assert "listening" in json.loads(process.stderr.readline())
    if sys.platform == "win32":
        process.kill()
        process.communicate()
        return
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, err) == (130, b"")


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--tcp", "example.org:80"), 1, "coai serve: example.org is not a loopback address."),
        (("--tcp", "nowhere"), 1, "coai serve: 'nowhere' is no HOST:PORT."),
        (("--stdio", "--tcp", "127.0.0.1:0"), 2, "not allowed with argument"),
        (("--log-level", "loud"), 2, "invalid choice: 'loud'"),
        (("--set", "max_tokens"), 2, "expected KEY=VALUE, got 'max_tokens'"),
        (("--set", "=1"), 2, "expected KEY=VALUE, got '=1'"),
        (("--wrong",), 2, "unrecognized arguments: --wrong"),
        (("--log", "x"), 2, "unrecognized arguments: --log x"),
    ],
)
def test_what_it_cannot_do_is_said_in_one_line(
    coai: InProcess, options: tuple[str, ...], code: int, said: str
) -> None:
    ran = coai("serve", *options)
    assert (ran.code, ran.out) == (code, "")
    assert said in ran.err.splitlines()[-1]


def test_its_help_has_examples(coai: InProcess) -> None:
    ran = coai("serve", "--help")
    assert ran.code == 0
    assert ran.out.startswith("usage: coai serve")
    assert "coai serve --set completion.max_tokens=64" in ran.out


def test_without_standard_input_it_says_so(home: Home) -> None:
    program = (
        "import os; os.close(0); import runpy; runpy.run_module('coai_server', {}, '__main__')"
    )
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys; sys.argv[1:] = ['serve']; sys.stdin = None; {program}",
        ],
        env=home.environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 1
    assert "Standard input or output is closed." in done.stderr


def test_the_log_can_move_while_it_is_written(root_logger: logging.Logger, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    count = len(root_logger.handlers)
    for file, level in ((first, "info"), (second, "warning")):
        logs.configure(level, file)
        logging.getLogger("test").info("to %s", file.name)
        logging.getLogger("test").error("error to %s", file.name)
    assert len(root_logger.handlers) == count + 1
    assert [line.split(" test: ")[1] for line in first.read_text().splitlines()] == [
        "to first",
        "error to first",
    ]
    assert [line.split(" test: ")[1] for line in second.read_text().splitlines()] == [
        "error to second"
    ]


def test_a_log_file_that_cannot_be_written_changes_nothing(
    root_logger: logging.Logger, tmp_path: Path
) -> None:
    before = [*root_logger.handlers]
    with pytest.raises(LogFileError, match="cannot be written") as caught:
        logs.configure("info", tmp_path)
    assert "--log-file" in caught.value.remedy
    assert root_logger.handlers == before


def test_a_full_log_file_is_put_aside(
    root_logger: logging.Logger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "FILE_BYTES", 1000)
    file = tmp_path / "coai.log"
    logs.configure("info", file)
    for number in range(100):
        logging.getLogger("test").info("entry %d %s", number, "x" * 50)
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "coai.log", "coai.log.1", "coai.log.2", "coai.log.3",
    ]  # fmt: skip
    assert all(each.stat().st_size <= 1000 for each in tmp_path.iterdir())


def test_the_log_goes_nowhere_where_there_is_no_standard_error(
    root_logger: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    logs.configure("info")
    logging.getLogger("test").error("nobody reads this")
    assert isinstance(root_logger.handlers[-1], logging.NullHandler)


def test_a_file_that_cannot_be_put_aside_is_written_on(
    root_logger: logging.Logger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def in_use(_source: Path, _destination: str) -> None:
        raise PermissionError(32, "The process cannot access the file")  # as Windows says it

    monkeypatch.setattr(logs, "FILE_BYTES", 200)
    monkeypatch.setattr(Path, "replace", in_use)
    logs.configure("info", tmp_path / "coai.log")
    for number in range(10):
        logging.getLogger("test").info("entry %d", number)
    assert [each.name for each in tmp_path.iterdir()] == ["coai.log"]
    assert len((tmp_path / "coai.log").read_text().splitlines()) == 10
