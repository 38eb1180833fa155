"""The specialists' commands without a model, on whatever a user may name.

Each ends with something that is true, on one of its streams, and with the documented code: 0 where
it is done, 1 where something was found or proposed, 2 where it could not be done.
"""

from __future__ import annotations

import io
import json
import os
import sys
from typing import TYPE_CHECKING

import pytest

from tests.server.cli.conftest import InProcess

if TYPE_CHECKING:
    from pathlib import Path

LANGUAGES = {
    "a.py": "def f(a, b=1):\n    return a + b\n",
    "a.js": "export function f(a, b = 1) {\n  return a + b;\n}\n",
    "a.ts": "export function f(a: number, b = 1): number {\n  return a + b;\n}\n",
    "a.go": "package a\n\nfunc F(a int, b int) int {\n\treturn a + b\n}\n",
    "A.java": "class A {\n    public int f(int a, int b) {\n        return a + b;\n    }\n}\n",
    "a.php": "<?php\nfunction f($a, $b = 1) {\n    return $a + $b;\n}\n",
    "a.rb": "def f(a, b = 1)\n  a + b\nend\n",
    "A.cs": "class A\n{\n    public int F(int a, int b)\n    {\n        return a + b;\n    }\n}\n",
}

TEXTS = {
    "empty.py": b"",
    "binary.py": bytes(range(256)) * 40,
    "latin.py": "# caf\xe9\ndef f(a):\n    return a\n".encode("latin-1"),
    "wide.py": "def f(a):\n    return a\n".encode("utf-16"),
    "bom.py": b"\xef\xbb\xbfdef f(a):\n    return a\n",
    "crlf.py": b"def f(a):\r\n    return a\r\n",
    "cr.py": b"def f(a):\r    return a\r",
    "tabs.py": b"def f(a):\n\treturn a\n",
    "large.py": b"x = '" + b"a" * 1_100_000 + b"'\n\n\ndef f(a):\n    return a\n",
    "broken.py": b"def f(a:\n  return ((\n",
    "endless.py": b"def f(a):\n    return a",
    "words.txt": b"just words\n",
}

WHOLE = {"bom.py", "crlf.py", "cr.py", "tabs.py", "endless.py"}
"""What is read as any other file."""

UNREADABLE = {
    "binary.py": "not text in UTF-8",
    "latin.py": "not text in UTF-8",
    "wide.py": "not text in UTF-8",
    "large.py": "larger than the 1,000,000 bytes",
    "words.txt": "Nothing is known of the language",
    "missing.py": "No such file",
    "folder": "is a folder",
    "loop.py": "symbolic links",
    "pipe.py": "no regular file",
    "a.py:nosuch": "defines no nosuch; it defines f",
    "a.py:9": "has the lines 1 to",
    "a.py:0": "has the lines 1 to",
    "a.py:2-1": "has the lines 1 to",
    "C:\\no\\a.py:1": "No such file",
}
"""What cannot be told of, and what is said of it."""


@pytest.fixture
def coai(capsys: pytest.CaptureFixture[str], empty_home: Path) -> InProcess:
    for name, text in LANGUAGES.items():
        (empty_home / name).write_text(text)
    for name, content in TEXTS.items():
        (empty_home / name).write_bytes(content)
    (empty_home / "folder").mkdir()
    (empty_home / "folder" / "x.py").write_text("def h(q):\n    return q\n")
    (empty_home / "void").mkdir()
    (empty_home / "loop.py").symlink_to("loop.py")
    os.mkfifo(empty_home / "pipe.py")
    return InProcess(capsys)


@pytest.mark.parametrize("name", [*LANGUAGES, *sorted(WHOLE)])
def test_a_small_program_of_any_language_and_form_is_told_of(coai: InProcess, name: str) -> None:
    explained = coai("explain", name, "--no-model")
    assert explained.code == 0
    assert "It takes `a`" in explained.out
    documented = coai("document", name, "--no-model")
    assert documented.code == 1
    assert documented.out.startswith(f"--- a/{name}\n+++ b/{name}\n@@ ")
    for command in ("fix", "perf"):
        assert coai(command, name, "--no-model").code == 0
    asked = coai("ask", "what does f do?", name, "--no-model")
    assert asked.code == 0
    assert "defines `F`" in asked.out or "It takes `a`" in asked.out


@pytest.mark.parametrize("name", sorted(UNREADABLE))
@pytest.mark.parametrize("command", ["explain", "document", "fix", "perf"])
def test_what_cannot_be_read_is_named(coai: InProcess, command: str, name: str) -> None:
    if command == "document" and name == "folder":
        return  # all of it is documented
    ran = coai(command, name, "--no-model")
    assert ran.code == 2
    assert UNREADABLE[name] in " ".join(ran.err.split())
    assert not ran.out


def test_what_holds_nothing_says_so(coai: InProcess) -> None:
    for name in ("empty.py", "broken.py"):
        explained = coai("explain", name, "--no-model")
        assert explained.code == 2
        assert "defines no function and no class" in explained.out
    assert "no public function" in coai("document", "empty.py", "--no-model").err
    assert coai("document", "void", "--no-model").code == 0


def test_a_folder_with_some_files_that_cannot_be_read_is_documented(coai: InProcess) -> None:
    ran = coai("document", ".", "--no-model")
    assert ran.code == 2
    assert "--- a/folder/x.py\n" in ran.out
    assert "latin.py is not text in UTF-8" in " ".join(ran.err.split())
    assert "large.py is larger" in " ".join(ran.err.split())


def test_what_no_file_of_a_folder_has_is_not_documented(coai: InProcess, empty_home: Path) -> None:
    (empty_home / "folder/more.py").write_text("def here(a):\n    return a\n")
    assert coai("document", "folder:missing", "--no-model").code == 2
    assert coai("document", "folder:here", "--no-model").code == 1


def test_a_diff_names_a_file_elsewhere_without_the_root(
    coai: InProcess, empty_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(empty_home / "void")
    ran = coai("document", str(empty_home / "a.py"), "--no-model")
    assert ran.out.startswith(f"--- a{empty_home}/a.py\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("architecture", "missing"), "is no folder"),
        (("architecture", "a.py"), "is no folder"),
        (("threats", "missing", "--no-model"), "missing is not there"),
        (("compliance", "missing"), "missing is not there"),
        (("vulns", "missing"), "missing is not there"),
        (("vulns", "a.py"), "no file that is known to name dependencies"),
        (("review", "missing", "--no-model"), "missing is not there"),
        (("review", "--no-model"), "pipe a diff"),
        (("review", "--diff", "nosuch", "--no-model"), "not a git repository"),
        (("ask", " ", "--no-model"), "ask something"),
        (("ask", "why?", "missing.py", "--no-model"), "No such file"),
        (("memory", "show", "1"), "no name of a memory"),
        (("memory", "show", "e9"), "e9"),
        (("refactor", "nosuch", "a.py:2", "--no-model"), "There is no refactoring nosuch"),
        (("refactor", "if", "a.py:99", "--no-model"), "has the lines 1 to"),
        (("refactor", "simplify", "a.py:2", "--no-model"), "No model is asked"),
        (("refactor", "if", "missing.py:2", "--no-model"), "No such file"),
        (("refactor", "if", "words.txt:1", "--no-model"), "Nothing is known of the language"),
    ],
)
def test_what_cannot_be_done_ends_with_two(
    coai: InProcess, arguments: tuple[str, ...], said: str
) -> None:
    ran = coai(*arguments)
    assert ran.code == 2
    assert said in " ".join(ran.err.split())


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("architecture",), 0),
        (("architecture", "void"), 0),
        (("threats", ".", "--no-model"), 2),
        (("threats", "void", "--no-model"), 0),
        (("compliance", "."), 2),
        (("vulns", "."), 0),
        (("memory", "list"), 0),
        (("refactor", "extract-variable", "a.py:2", "--no-model"), 1),
    ],
)
def test_what_looks_at_a_folder_tells_of_what_it_could_read(
    coai: InProcess, arguments: tuple[str, ...], code: int
) -> None:
    ran = coai(*arguments)
    assert ran.code == code
    assert ran.out.strip()


MANIFESTS = {
    "requirements.txt": "requests==\n-r other.txt\n\0\n===\n",
    "package.json": "{",
    "package-lock.json": "[]",
    "yarn.lock": "\0\1",
    "pnpm-lock.yaml": "a: &a [*a]\n",
    "go.mod": "module x\nrequire (\n",
    "pom.xml": "<!DOCTYPE a [<!ENTITY b 'c'>]><project>&b;</project>",
    "build.gradle": "dependencies { implementation }",
    "Cargo.toml": "[dependencies]\nx = 5\n",
    "Cargo.lock": "[[package]]\nname = 1\n",
    "composer.lock": "null",
    "Gemfile.lock": "GEM\n  specs:\n",
    "packages.lock.json": '{"version": 1, "dependencies": []}',
    "poetry.lock": "[[package]]\n",
    "uv.lock": "x",
    "Pipfile.lock": "5",
    "pyproject.toml": "[project]\ndependencies = 5\n",
    "packages.config": "<packages>",
    "App.csproj": "<Project><ItemGroup><PackageReference/></ItemGroup></Project>",
}


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifest_that_names_nothing_is_told(
    coai: InProcess, empty_home: Path, name: str
) -> None:
    (empty_home / "void" / name).write_text(MANIFESTS[name])
    ran = coai("vulns", f"void/{name}")
    assert ran.code in (0, 2)
    assert "0 packages in 1 files" in ran.out
    assert "Note:" in ran.err


PROFILES = {
    "empty": (b"", "empty"),
    "binary": (bytes(range(256)), "none of the known"),
    "words": (b"words\n", "none of the known"),
    "open": (b"[1, 2", "none of the known"),
    "number": (b'{"nodes": 5}', "none of the known"),
    "frameless": (b'{"profiles": [], "shared": {}}', "malformed"),
}


@pytest.mark.parametrize("kind", PROFILES)
def test_what_is_no_profile_is_told(coai: InProcess, empty_home: Path, kind: str) -> None:
    content, said = PROFILES[kind]
    (empty_home / "p.json").write_bytes(content)
    ran = coai("perf", "a.py", "--profile", "p.json", "--no-model")
    assert ran.code == 2
    assert said in ran.err


TRACE = (
    'Traceback (most recent call last):\n  File "{}", line 2, in f\n    return a + b\n'
    "           ~~^~~\nTypeError: no\n"
)


def _before(text: str, prefix: str) -> str:
    return "".join(f"{prefix.format(at)}{line}\n" for at, line in enumerate(text.splitlines()))


OUTPUTS = {
    "as it is": TRACE.format("a.py"),
    "a path of Windows": TRACE.format("C:\\Users\\ann\\app\\a.py").replace("\n", "\r\n"),
    "a container's": _before(TRACE.format("/app/a.py"), "web-1  | "),
    "a logger's": _before(TRACE.format("/app/a.py"), "2026-01-01 12:00:0{},12 ERROR app: "),
    "behind a logged line": f"12:00 ERROR it failed\n{TRACE.format('a.py')}",
    "with colours": TRACE.format("\x1b[35ma.py\x1b[0m").replace(
        "TypeError", "\x1b[1mTypeError\x1b[0m"
    ),
    "before a long line": TRACE.format("a.py") + "x" * 2_000_000,
    "with a cause": TRACE.format("a.py")
    + "\nThe above exception was the direct cause of the following exception:\n\n"
    + TRACE.format("other.py").replace("TypeError: no", "ValueError: yes"),
    "in a group": "  + Exception Group Traceback (most recent call last):\n"
    '  |   File "/app/main.py", line 9, in <module>\n  |     run()\n'
    "  | ExceptionGroup: many (2 sub-exceptions)\n  +-+---------------- 1 ----------------\n"
    + _before(TRACE.format("a.py"), "    | ")
    + "    +---------------- 2 ----------------\n    | OSError: three\n"
    "    +------------------------------------\n",
}


@pytest.mark.parametrize("kind", OUTPUTS)
def test_a_trace_is_read_however_it_came(
    coai: InProcess, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(OUTPUTS[kind].encode())))
    ran = coai("explain", "-", "--no-model")
    assert ran.code == 0
    assert "- TypeError: no [a.py:2]" in ran.out
    assert "> 2 |     return a + b" in ran.out


@pytest.mark.parametrize("text", [b"", b"all is well\n", b"\0\xff" * 500])
def test_what_is_no_trace_is_told(
    coai: InProcess, monkeypatch: pytest.MonkeyPatch, text: bytes
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text)))
    ran = coai("explain", "-", "--no-model")
    assert ran.code == 2
    assert "Nothing in it is a trace" in ran.err


def test_an_empty_diff_is_told(coai: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\n")))
    ran = coai("review", "-", "--no-model")
    assert ran.code == 0
    assert "The diff is empty" in ran.err


def test_json_says_of_what_could_not_be_explained_that_it_is_not_well(coai: InProcess) -> None:
    ran = coai("explain", "empty.py", "--no-model", "--json")
    assert ran.code == 2
    assert json.loads(ran.out)["ok"] is False
