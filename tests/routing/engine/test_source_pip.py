"""Asking pip where wheels are: real pip on a real index, and pips that misbehave."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from coai_routing.weights.source_http import SourceError
from coai_routing.weights.source_pip import (
    WheelPlace,
    complaint,
    locate,
    pip_environment,
    read_report,
)
from tests.support.sources import isolate, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    WriteStub = Callable[[str], None]


@pytest.fixture(autouse=True)
def isolated(monkeypatch: pytest.MonkeyPatch) -> None:
    isolate(monkeypatch)


@pytest.fixture
def stub_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WriteStub:
    """Writes the code of a module that Python takes for pip."""
    package = tmp_path / "stub" / "pip"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(package.parent))

    def write(code: str) -> None:
        (package / "__main__.py").write_text(code)

    return write


def python_without_pip(directory: Path) -> str:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(directory)], check=True)
    return str(directory / ("Scripts" if sys.platform == "win32" else "bin") / "python")


def running_children() -> list[psutil.Process]:
    """Return this process's children that still do anything; other tests' dead ones may linger."""
    children = psutil.Process().children()
    return [child for child in children if "pip" in " ".join(_command_line(child))]


def _command_line(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return []


MOST = 1_000_000


class TestForeignPip:
    async def test_a_pip_without_lazy_wheels_is_asked_without_them(
        self, stub_pip: WriteStub, tmp_path: Path
    ) -> None:
        stub_pip(
            "import json, sys\n"
            "if '--use-feature=fast-deps' in sys.argv:\n"
            "    sys.exit(\"ERROR: invalid choice: 'fast-deps'\")\n"
            "wheel = {'metadata': {'name': 'X.Y'}, 'download_info': {'url': 'file:///x'}}\n"
            "print(json.dumps({'install': [wheel]}))\n"
        )
        assert await locate({"x-y": "1"}, tmp_path, most=MOST) == {
            "x-y": WheelPlace("file:///x", "")
        }

    @pytest.mark.parametrize(
        ("code", "reason"),
        [
            ("print('hello')", r"pip's report cannot be read \(JSONDecodeError\)"),
            ("print('{}')", r"pip's report cannot be read \(KeyError\)"),
            ("print('{\"install\": []}')", "pip's report does not have x"),
            ("raise SystemExit(3)", "pip: no reason given"),
        ],
    )
    async def test_what_pip_should_not_do_is_an_error(
        self, stub_pip: WriteStub, tmp_path: Path, code: str, reason: str
    ) -> None:
        stub_pip(code)
        with pytest.raises(SourceError, match=reason):
            await locate({"x": "1"}, tmp_path, most=MOST)

    async def test_a_pip_that_does_not_end_is_ended(
        self, stub_pip: WriteStub, tmp_path: Path
    ) -> None:
        stub_pip("import time; time.sleep(600)")
        with pytest.raises(SourceError, match=r"pip found nothing within 0\.3 s"):
            await locate({"x": "1"}, tmp_path, most=MOST, deadline=0.3)
        assert not running_children()

    async def test_a_cancelled_look_up_leaves_no_process(
        self, stub_pip: WriteStub, tmp_path: Path
    ) -> None:
        stub_pip("open('started', 'w'); import time; time.sleep(600)")
        looking = asyncio.create_task(locate({"x": "1"}, tmp_path, most=MOST))
        await until((tmp_path / "started").exists)
        looking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await looking
        assert not running_children()

    async def test_a_python_without_pip_says_so(self, tmp_path: Path) -> None:
        with pytest.raises(SourceError, match="pip is missing in COAI's Python"):
            await locate(
                {"x": "1"}, tmp_path, most=MOST, python=python_without_pip(tmp_path / "bare")
            )

    async def test_a_python_that_is_not_there_says_so(self, tmp_path: Path) -> None:
        with pytest.raises(SourceError, match="pip cannot be started"):
            await locate({"x": "1"}, tmp_path, most=MOST, python=str(tmp_path / "python"))

    def test_the_report_is_read_by_names_however_they_are_spelled(self) -> None:
        report = (
            '{"install": [{"metadata": {"name": "A_b"}, "download_info": {"url": "u",'
            ' "archive_info": {"hashes": {"sha256": "AB"}}}}]}'
        )
        assert read_report(report, ["a-b"]) == {"a-b": WheelPlace("u", "ab")}

    def test_a_complaint_has_no_password_in_it(self) -> None:
        text = "ERROR: HTTP error 401 while getting https://user:secret@host.example/simple/x/"
        assert complaint(text) == (
            "pip: HTTP error 401 while getting https://***@host.example/simple/x/"
        )


ENVIRONMENTS: list[tuple[str, dict[str, str], dict[str, str]]] = [
    ("nothing", {}, {}),
    ("uv's index", {"UV_DEFAULT_INDEX": "https://a/simple"}, {"PIP_INDEX_URL": "https://a/simple"}),
    ("named", {"UV_DEFAULT_INDEX": "a=https://a/?b=c"}, {"PIP_INDEX_URL": "https://a/?b=c"}),
    ("uv's old name", {"UV_INDEX_URL": "https://a/?b=c"}, {"PIP_INDEX_URL": "https://a/?b=c"}),
    (
        "pip goes first",
        {"UV_DEFAULT_INDEX": "https://a", "PIP_INDEX_URL": "https://b"},
        {"PIP_INDEX_URL": "https://b"},
    ),
    (
        "several",
        {"UV_INDEX": "x=https://a https://b", "UV_EXTRA_INDEX_URL": "https://c"},
        {"PIP_EXTRA_INDEX_URL": "https://a https://b https://c"},
    ),
    ("links", {"UV_FIND_LINKS": "/a,/b"}, {"PIP_FIND_LINKS": "/a /b"}),
    ("installations", {"PIP_USER": "1", "PIP_REQUIRE_HASHES": "1"}, {}),
]


@pytest.mark.parametrize(
    ("given", "pips"), [row[1:] for row in ENVIRONMENTS], ids=[row[0] for row in ENVIRONMENTS]
)
def test_pip_is_told_what_only_uv_knew(given: dict[str, str], pips: dict[str, str]) -> None:
    told = pip_environment(given)
    assert {key: value for key, value in told.items() if key.startswith("PIP_")} == pips
