"""`coai document --api`: what is written where, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

if TYPE_CHECKING:
    from tests.server.cli.conftest import InProcess

PAGE = (Path(__file__).parents[3] / "docs" / "documents.md").read_text(encoding="utf-8")
ROUTE = "from flask import Flask\napp = Flask(__name__)\n@app.get('/a')\ndef a():\n    '''A.'''\n"


def block(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return found


@pytest.fixture
def work(empty_home: Path) -> Path:
    folder = empty_home / "work"
    folder.mkdir()
    (folder / "app.py").write_text(ROUTE, "utf-8")
    return folder


def everything(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_examples_of_the_page_hold(coai: InProcess, work: Path) -> None:
    (work / "app.py").write_text(block("python"), "utf-8")
    told = coai("document", "--api", "work", "--format", "openapi")
    assert told.code == 0, told.err
    made = yaml.safe_load(told.out)
    assert {key: made[key] for key in ("paths", "components")} == yaml.safe_load(block("yaml"))
    (work / "own.toml").write_text(block("toml"), "utf-8")
    told = coai("document", "--api", "work", "--template", "work/own.toml")
    assert "## `app.py`\n\n- class `Order`:\n\n- function `change`: Change an order." in told.out


def test_nothing_is_written_but_the_output(coai: InProcess, work: Path) -> None:
    before = everything(work)
    shown = coai("document", "--api", "work")
    assert shown.code == 0
    assert everything(work) == before
    told = coai("document", "--api", "work", "--output", "work/new.md")
    assert (told.code, told.out) == (0, "")
    assert everything(work) == before | {work / "new.md": shown.out.encode()}


def test_a_file_that_exists_is_only_written_with_force(coai: InProcess, work: Path) -> None:
    (work / "out.md").write_text("mine", "utf-8")
    told = coai("document", "--api", "work", "--output", "work/out.md")
    assert told.code == 2
    assert "--force" in told.err
    assert (work / "out.md").read_text("utf-8") == "mine"
    assert coai("document", "--api", "work", "--output", "work/out.md", "--force").code == 0
    assert "### `a`" in (work / "out.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--output", "work"), "exists"),
        (("--output", "work", "--force"), "cannot be written"),
        (("--output", "work/absent/x.md"), "cannot be written"),
        (("--output", "work/link", "--force"), "cannot be written"),
        (("--output", "work/dangling"), "cannot be written"),
        (("--template", "absent.toml"), "cannot be read"),
        (("--template", "work/app.py"), "is no template"),
        (("--template", "x", "--format", "openapi"), "for the reference"),
    ],
)
def test_what_cannot_be_is_refused(
    coai: InProcess, work: Path, arguments: tuple[str, ...], says: str
) -> None:
    (work / "link").symlink_to(work / "app.py")
    (work / "dangling").symlink_to(work / "nowhere.md")
    before = everything(work)
    told = coai("document", "--api", "work/app.py", *arguments)
    assert told.code == 2
    assert says in " ".join(told.err.split())
    assert everything(work) == before
    document = coai("document", "--api", "work/app.py", "--json", *arguments).document
    assert document["ok"] is False


def test_what_is_absent_or_goes_not_together(coai: InProcess, work: Path) -> None:
    assert coai("document", "--api", "absent").code == 2
    assert coai("document", "--api", "work", "--write").code == 2
    assert coai("document", "work", "--output", "x.md").code == 2
    assert not Path("x.md").exists()
    (work / "bad.py").write_bytes(b"\xff")
    told = coai("document", "--api", "work", "--json")
    assert told.code == 2
    assert "UTF-8" in told.document["notes"][0]
    assert "### `a`" in told.document["text"]
