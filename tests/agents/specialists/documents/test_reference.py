"""The API reference: what it holds, that all of it is text, and templates."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from coai_agents.application.sources import SourceFileError
from coai_agents.application.specialists.documents import (
    DocumentForm,
    NothingToDocumentError,
    api_document,
)
from coai_agents.specialists.documents.templates import BUILT_IN, TemplateError, templates

GOLDEN = Path(__file__).parent / "golden"

PYTHON = '''"""Shapes.

All of *them* are flat.
"""

from dataclasses import dataclass

LIMIT = "not shown"


@dataclass
class Square(Shape):
    """A square."""

    def __init__(self, side: float = 1.0) -> None:
        """Take a side.

        Args:
            side: How long it is, in `m`.

        Raises:
            ValueError: If it is negative.
        """
        if side < 0:
            raise ValueError(side)

    def area(self) -> float:
        """Return the area.

        Returns:
            In square metres.
        """
        def inner(): ...
        return self.side**2

    def _hidden(self): ...


class _Private:
    def public(self): ...


async def draw(
    shape: Shape, *, scale: int = 2, **options: str
) -> None:
    """Draw a shape."""
    raise RuntimeError
'''

TYPESCRIPT = """/**
 * Colours.
 */

import { x } from "./x";

/** A colour. */
export interface Colour {
  name: string;
}

/**
 * Mixes colours.
 *
 * @param first - The first one.
 * @param others - Whatever is mixed in.
 * @returns A new colour.
 * @throws {RangeError} If there are too many.
 */
export function mix(first: Colour, ...others: Colour[]): Colour {
  throw new RangeError("many");
}

export class Palette {
  /** How many there are. */
  size(): number { return 0; }
  private hidden(): void {}
  #own(): void {}
}

export const shade = (colour: Colour): Colour => colour;

function local(): void {}
function late(): void {}
export { late };
"""


def reference(path: Path, template: Path | None = None) -> str:
    return api_document(path, DocumentForm.MARKDOWN, template).text


@pytest.mark.parametrize(
    ("name", "text"), [("shapes.py", PYTHON), ("colours.ts", TYPESCRIPT)], ids=["py", "ts"]
)
def test_the_reference_is_what_was_looked_at(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    made = reference(tmp_path / name)
    assert made == (GOLDEN / f"{name}.md").read_text("utf-8")
    assert made == reference(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("a.py", "__all__ = ['f']\ndef f(): ...\ndef g(): ...\n", ["f"]),
        (
            "a.py",
            "class A:\n  def f(self):\n    class B: ...\n  def __eq__(self, o): ...\n",
            ["A", "A.f"],
        ),
        ("a.js", "function f() {}\nclass K { m() {} #n() {} }\n", ["f", "K", "K.m"]),
        ("a.ts", "export namespace N { export function f() {} function g() {} }\n", ["N.f"]),
        ("a.ts", "function f() {}\nfunction g() {}\nexport default f;\n", ["f"]),
        (
            "A.java",
            "public interface A { void f(); private void g() {} }\nclass B { public void h() {} }",
            ["A", "A.f"],
        ),
        (
            "a.cs",
            "public interface A { void F(); }\ninternal class B { void G() {} }",
            ["A", "A.F"],
        ),
        (
            "a.rs",
            (
                "pub fn f() {}\npub(crate) fn g() {}\npub trait T { fn m(&self); }\nstruct H;\n"
                "impl H { pub fn n() {} }\npub struct P;\nimpl P { pub fn o() {} fn q() {} }\n"
            ),
            ["f", "T", "T.m", "P", "P.o"],
        ),
        (
            "a.go",
            (
                "package a\ntype S struct{}\ntype p struct{}\nfunc (s *S) Run() {}\n"
                "func (s S) stop() {}\nfunc (x *p) Do() {}\nfunc F() {}\n"
            ),
            ["S", "S.Run", "F"],
        ),
        (
            "a.hpp",
            (
                "class C { void a(); public: void b(); private: void c(); };\n"
                "struct S { void d(); };\n"
            ),
            ["C", "C.b", "S", "S.d"],
        ),
        (
            "a.rb",
            (
                "class C\n  def a; end\n  private def b; end\n  def c; end\n  private\n"
                "  def d; end\nend\n"
            ),
            ["C", "C.a", "C.c"],
        ),
        (
            "a.php",
            "<?php class C { public function a() {} private function b() {} }",
            ["C", "C.a"],
        ),
    ],
)
def test_what_is_public_is_what_the_language_says(
    tmp_path: Path, name: str, text: str, wanted: list[str]
) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    assert re.findall(r"^### `(.*)`$", reference(tmp_path / name), re.MULTILINE) == wanted


def test_a_folder_is_in_order_and_every_link_leads_to_an_anchor(tmp_path: Path) -> None:
    for name in ("b.py", "a-b.py", "a/b.py", "a_b.py", "node_modules/x.js", "empty.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        text = "" if name == "empty.py" else "def f(): ...\ndef f(x): ...\n"
        (tmp_path / name).write_text(text, "utf-8")
    made = reference(tmp_path)
    assert re.findall(r"^## `(.*)`$", made, re.MULTILINE) == ["a-b.py", "a/b.py", "a_b.py", "b.py"]
    anchors = re.findall(r'<a id="([a-z0-9-]+)"></a>', made)
    assert len(set(anchors)) == len(anchors) == 12
    assert set(re.findall(r"\]\(#([^)]*)\)", made)) <= set(anchors)


HOSTILE = [
    "![x](https://evil.example/p.png)",
    "[x](javascript:alert(1))",
    "<img src=x onerror=alert(1)>",
    "<https://evil.example>",
    "https://evil.example",
    "</a><script>alert(1)</script>",
    "```\n# heading\n```",
    "$title ${modules} $$",
    "\u202egnol\u202c \u200b\U000e0041",
    "z" * 50_000,
]


@pytest.mark.parametrize("words", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_words_are_text(tmp_path: Path, words: str) -> None:
    (tmp_path / "a.py").write_text(
        f'def f(x: "{words.splitlines()[0]}"):\n    """{words}\n\n    {words}\n\n'
        f'    Args:\n        x: {words}\n    """\n',
        "utf-8",
    )
    _is_ours(reference(tmp_path))


@pytest.mark.parametrize(
    "name", ["`a`.py", "``.py", "[x](y).py", "<b>.py", "a\u202eb.py", "$title.py", "#a.py", "é.py"]
)
def test_hostile_file_names_are_text(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("def f(): ...\n", "utf-8")
    made = reference(tmp_path)
    _is_ours(made)
    assert made.count("### `f`") == 1


def _is_ours(made: str) -> None:
    """Look at what is left once code spans, fences and escaped characters are gone."""
    assert len(made) < 60_000
    assert not re.search("[\u200b\u202e\u202c\U000e0041]", made)
    plain = re.sub(r"(?ms)^(`{3,}).*?^\1$", "", made)
    plain = re.sub(r"\\.", "", plain)
    plain = re.sub(r"(?s)(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", plain)
    plain = re.sub(
        r'<a id="[a-z0-9-]+"></a>|^- \[\]\(#[a-z0-9-]+\)$', "", plain, flags=re.MULTILINE
    )
    assert not re.search(r"!\[|\]\(|<\w|</|https?://", plain)


def test_a_template_of_the_user_s_replaces_parts(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text('def f():\n    """Costs $title."""\n', "utf-8")
    own = tmp_path / "own.toml"
    own.write_text('symbol = "* $kind $name at $path:$line, $$1: $summary"\n', "utf-8")
    made = reference(tmp_path / "a.py", own)
    assert "* function `f` at `a.py`:1, $1: Costs $title." in made
    assert "## `a.py`" in made


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("symbol = ", "is no template"),
        ('sybmol = ""', "`sybmol` is no part"),
        ("symbol = 3", "is no text"),
        ('symbol = "$nmae"', "cannot have `$nmae`"),
        ('symbol = "${name.__class__}"', "before what is no name"),
        ('symbol = "100 $"', "before what is no name"),
        ('entry = "$symbols"', "cannot have `$symbols`"),
    ],
)
def test_a_template_that_is_wrong_says_where(text: str, says: str) -> None:
    with pytest.raises(TemplateError, match=re.escape(says)):
        templates(text, "own.toml")


def test_the_built_in_template_uses_every_part() -> None:
    assert templates(BUILT_IN.read_text("utf-8"), "x").fill(
        "parameter", name="a", type="", text="b"
    )


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(SourceFileError):
        reference(tmp_path / "absent.py")
    (tmp_path / "a.txt").write_text("x", "utf-8")
    with pytest.raises(NothingToDocumentError):
        reference(tmp_path / "a.txt")
    (tmp_path / "a.py").write_bytes(b"\xff\xfe")
    document = api_document(tmp_path, DocumentForm.MARKDOWN)
    assert document.incomplete
    assert "UTF-8" in document.notes[0]
