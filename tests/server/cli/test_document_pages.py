"""`coai document --as`: what is written where, what is run, and what is refused."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.cli.conftest import InProcess

CODE = '''def add(one: int, two: int) -> int:
    """Add.

    >>> add(1, 2)
    3
    """
    return one + two


def wrong() -> int:
    """Be wrong.

    >>> wrong()
    2
    """
    return 1
'''


@pytest.fixture
def work(empty_home: Path) -> Path:
    folder = empty_home / "work"
    folder.mkdir()
    (folder / "sums.py").write_text(CODE, "utf-8")
    return folder


@pytest.mark.parametrize("kind", ["guide", "tutorial", "architecture"])
def test_a_page_without_a_model(coai: InProcess, work: Path, kind: str) -> None:
    before = {path: path.read_bytes() for path in work.rglob("*")}
    told = coai("document", "work", "--as", kind, "--no-model")
    assert (told.code, told.out.splitlines()[0][:6]) == (0, "# work")
    assert {path: path.read_bytes() for path in work.rglob("*")} == before
    as_json = coai("document", "work", "--as", kind, "--no-model", "--json").document
    assert as_json == {"ok": True, "text": told.out, "notes": as_json["notes"]}
    written = coai("document", "work", "--as", kind, "--no-model", "--output", "x.md")
    assert (written.code, written.out) == (0, "")
    assert (work.parent / "x.md").read_text("utf-8") == told.out


@pytest.mark.usefixtures("work")
def test_a_page_says_why_no_model_worded_it(coai: InProcess) -> None:
    told = coai("document", "work/sums.py", "--as", "guide")
    assert told.code == 0
    assert "- `add` Add." in told.out
    assert "Note: " in told.err


def test_examples_are_run_where_the_user_says_how(
    coai: InProcess, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(work))
    told = coai(
        "document", "work", "--as", "tutorial", "--no-model", "--run", f"{sys.executable} {{}}"
    )
    assert told.code == 0, told.err
    assert "and it held, from `sums.py:4`" in told.out
    assert "wrong()" not in told.out
    assert "sums.py:13: the example fails, and is left out." in told.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--as", "novel"), "novel"),
        (("--as", "guide", "--api"), "two documents"),
        (("--as", "guide", "--write"), "no code"),
        (("--as", "guide", "--format", "openapi"), "Markdown"),
        (("--as", "guide", "--run", "true"), "--as tutorial"),
        (("--as", "tutorial", "--run", "no-such-program-here"), "no program"),
        (("--as", "guide", "--template", "absent.toml"), "cannot be read"),
        (("--as", "guide", "--output", "work"), "exists"),
    ],
)
@pytest.mark.usefixtures("work")
def test_what_cannot_be_is_refused(coai: InProcess, arguments: tuple[str, ...], says: str) -> None:
    told = coai("document", "work", "--no-model", *arguments)
    assert told.code == 2
    assert says in " ".join(told.err.replace("│", " ").split())


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.py", b""),
        ("crlf.py", b"def f(a):\r\n\treturn a\r\n"),
        ("broken.py", b"def f(:\n  ((\n"),
        ("no_functions.py", b"x = 1\n"),
        ("long.py", b"def f(a):\n    return a\n" * 2500),
    ],
)
@pytest.mark.parametrize("kind", ["guide", "tutorial", "architecture"])
def test_odd_files_have_pages(
    coai: InProcess, work: Path, name: str, content: bytes, kind: str
) -> None:
    (work / name).write_bytes(content)
    told = coai("document", f"work/{name}", "--as", kind, "--no-model")
    assert told.code == 0, told.err
    assert told.out.startswith("# ")


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"x = '\xe9'\n"])
def test_what_is_no_text_is_named(coai: InProcess, work: Path, content: bytes) -> None:
    (work / "odd.py").write_bytes(content)
    alone = coai("document", "work/odd.py", "--as", "guide", "--no-model")
    assert (alone.code, "UTF-8" in alone.err) == (2, True)
    among = coai("document", "work", "--as", "guide", "--no-model")
    assert (among.code, "- `add` Add." in among.out, "UTF-8" in among.err) == (2, True, True)


@pytest.mark.parametrize("command", ["explain", "document", "fix", "perf"])
def test_what_cannot_be_read_is_told_from_what_was_found(
    coai: InProcess, work: Path, command: str
) -> None:
    (work / "odd.py").write_bytes(b"x = '\xe9'\n")
    for path in ("work/odd.py", "work/absent.py"):
        told = coai(command, path, "--no-model")
        assert (told.code, "Traceback" in told.err) == (2, False)
