"""The attacker writes text that a terminal shows: names, sources, answers of models and servers."""

from __future__ import annotations

import io
import logging
import os
import sys
import unicodedata
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text

from coai_server.cli import console
from coai_server.daemon.logs import PrintableFormatter
from coai_server.terminal import one_line, printable
from tests.security.hostile import BAD, HostileRepository

if TYPE_CHECKING:
    from pathlib import Path

EVIL = {
    "clear": "\x1b[2J",
    "title": "\x1b]0;mine\x07",
    "clipboard": "\x1b]52;c;ZXZpbA==\x1b\\",
    "link": "\x1b]8;;http://x.example\x1b\\",
    "c1": "\x9b2J\x9d0;x\x9c",
    "back": "\b\b\b\r",
    "delete": "\x7f",
    "override": "\u202e\u202d\u202c",
    "isolate": "\u2066\u2067\u2068\u2069",
    "mark": "\u200e\u200f\u061c",
    "no width": "\u200b\u200c\u200d\u2060\ufeff\u00ad\u180e",
    "lines": "\u2028\u2029\x85\x0b\x0c",
    "tags": "\U000e0041\U000e007f",
    "variation": "\ufe0f\U000e0100",
    "private": "\ue000\U0010fffd",
    "filler": "\u3164\uffa0\u034f\u115f\u1160",
}

anything = st.text(st.characters() | st.sampled_from("".join(EVIL.values())))


def _steers(text: str) -> str:
    """Return what in a text is more than what is seen, by Unicode's own data."""
    kinds = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
    return "".join(
        each for each in text if unicodedata.category(each) in kinds and each not in "\t\n"
    )


@given(anything)
def test_no_text_steers_a_terminal_and_none_loses_its_place(text: str) -> None:
    shown = printable(text)
    assert _steers(shown) == ""
    assert len(shown) == len(text)
    assert printable(shown) == shown
    assert len(one_line(text).splitlines()) <= 1
    # What can be seen stays as it is.
    assert all(after in (before, " ", "\ufffd") for before, after in zip(text, shown, strict=True))


@given(
    st.text(st.characters(categories=("L", "N", "P", "S", "Zs"), exclude_characters=EVIL["filler"]))
)
def test_what_is_seen_is_kept(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize("kind", EVIL)
def test_nothing_hidden_comes_through(kind: str) -> None:
    hidden = {each for each in EVIL[kind] if not (each.isascii() and each.isprintable())}
    assert not hidden & set(printable(f"a{EVIL[kind]}b"))


@given(anything)
def test_whatever_a_console_prints_is_printable(text: str) -> None:
    stream = io.StringIO()
    to = console.console(stream)
    table = Table(text, title=text)
    table.add_row(text)
    to.print(text)
    to.print(Text(text), soft_wrap=True)
    to.print(table)
    assert _steers(stream.getvalue()) == ""


@given(anything)
def test_a_log_line_is_one_record_and_printable(text: str) -> None:
    record = logging.LogRecord("n", logging.INFO, "p", 1, "said %s", (text,), None)
    written = PrintableFormatter("%(levelname)s %(message)s").format(record)
    assert _steers(written) == ""
    assert [line for line in written.split("\n") if not line.startswith("    ")] == [
        written.split("\n")[0]
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="such names cannot be had there")
@pytest.mark.parametrize("options", [[], ["--fix", "--dry-run"], ["--fix"]])
def test_no_name_and_no_source_steers_the_terminal_of_an_audit(
    tmp_path: Path, options: list[str]
) -> None:
    hostile = HostileRepository(tmp_path)
    evil = "".join(EVIL.values())
    for number, name in enumerate(("\x1b]0;x\x07a.py", "new\nline.py", "\u202ebidi.py")):
        hostile.write(name, f"{BAD}import hashlib\nhashlib.md5(b'{evil}{number}')\n")
    os.mkfifo(hostile.folder / "pipe\x1b[2J.py")
    (hostile.folder / "latin\x9b.py").write_bytes(b"password = '\xff\x1b[2Jhunter2hunter2'\n")
    ran = hostile.coai("audit", "--no-cache", *options, ".")
    assert _steers(ran.out) == ""
    assert _steers(ran.err) == ""
    assert "\ufffd" in ran.out
    assert "pipe [2J.py" in ran.err
    if not options:
        assert "new line.py:5:1 error command-injection" in ran.out
