"""Documents become text; bombs, entities and broken files become an error, and nothing more."""

from __future__ import annotations

import io
import zipfile
import zlib
from typing import TYPE_CHECKING

import pytest
from docx import Document
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook

from coai_agents.tools.documents.child import DocumentError, text_of
from coai_agents.tools.documents.markup import text_of_html
from coai_agents.tools.errors import ToolError
from tests.agents.tools.support import used

if TYPE_CHECKING:
    from pathlib import Path


def word(text: str = "Hello from a document.") -> bytes:
    document = Document()
    document.add_paragraph(text)
    table = document.add_table(rows=1, cols=2)
    table.cell(0, 0).text, table.cell(0, 1).text = "left", "right"
    document.add_paragraph("The end.")
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def sheet() -> bytes:
    book = Workbook()
    page = book.active
    assert page is not None
    page.title = "Prices"
    page.append(["apple", 3])
    page.append([None, None])
    page.append(["pear", 4.5])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def pdf(text: str = "Hello from a page.") -> bytes:
    """Return a page in the plainest form that there is (ISO 32000-1, annex H)."""
    stream = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode()
    parts = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out, places = b"%PDF-1.4\n", list[int]()
    for number, part in enumerate(parts, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, part)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    start = len(out)
    out += b"xref\n0 6\n0000000000 65535 f \n" + table
    return out + b"trailer << /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % start


PAGE = (
    "<html><head><title>A &amp; B</title><style>p{}</style></head><body><h1>Head</h1>"
    "<script>evil()</script><p>One <b>two</b>.</p><ul><li>three<li>four</ul>"
    "<table><tr><td>a</td><td>b</td></tr></table></body></html>"
)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.pdf", pdf(), ["Hello from a page."]),
        ("a.docx", word(), ["Hello from a document.", "left\tright", "The end."]),
        ("a.xlsx", sheet(), ["[Prices]", "apple\t3", "pear\t4.5"]),
        ("A.HTML", PAGE.encode(), ["A & B", "Head", "One two.", "three", "a b"]),
    ],
)
async def test_what_a_document_says(
    tmp_path: Path, name: str, content: bytes, said: list[str]
) -> None:
    (tmp_path / name).write_bytes(content)
    text = await used(tmp_path, "document", path=name)
    for each in said:
        assert each in text
    assert "evil" not in text


def rebuilt(content: bytes, changes: dict[str, bytes]) -> bytes:
    """Return an archive with parts of it replaced."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in dict.fromkeys((*old.namelist(), *changes)):
            new.writestr(name, changes[name] if name in changes else old.read(name))
    return out.getvalue()


LAUGHS = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><x>&b;</x>'
OUTSIDE = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>'


@pytest.mark.parametrize(
    ("kind", "content", "said"),
    [
        ("docx", rebuilt(word(), {"word/big.bin": bytes(50_000_000)}), "times its size"),
        ("xlsx", rebuilt(sheet(), {"xl/big.bin": bytes(50_000_000)}), "times its size"),
        ("docx", rebuilt(word(), {"word/document.xml": LAUGHS}), "declares entities"),
        ("docx", rebuilt(word(), {"word/document.xml": OUTSIDE}), "declares entities"),
        ("xlsx", rebuilt(sheet(), {"xl/workbook.xml": OUTSIDE}), "declares entities"),
        (
            "docx",
            rebuilt(word(), {"word/document.xml": OUTSIDE.decode().encode("utf-16")}),
            "declares entities",
        ),
        ("xlsx", rebuilt(sheet(), {f"x{n}": b"" for n in range(6_000)}), "parts"),
    ],
    ids=["bomb", "bomb in a sheet", "laughs", "outside", "outside 2", "utf-16", "many parts"],
)
def test_bombs_and_entities_are_refused_before_a_parser_sees_them(
    kind: str, content: bytes, said: str
) -> None:
    with pytest.raises(DocumentError, match=said):
        text_of(kind, content)


@pytest.mark.parametrize("name", ["a.pdf", "a.docx", "a.xlsx"])
@pytest.mark.parametrize("content", [b"", b"not this", b"PK\x03\x04broken", b"%PDF-1.7\n%%EOF"])
async def test_what_is_no_document_is_an_error(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ToolError, match=f"{name} is not read"):
        await used(tmp_path, "document", path=name)


async def test_a_document_that_unpacks_without_end_ends_its_process_alone(tmp_path: Path) -> None:
    stream = zlib.compress(bytes(3_000_000_000 // 10), 9)
    body = b"<< /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream)
    (tmp_path / "a.pdf").write_bytes(
        pdf().replace(b"<< /Length 45 >>", b"<< /Filter /FlateDecode /Length 45 >>")
        + b"\n4 0 obj\n"
        + body
        + b"\nendobj\n"
    )
    try:
        text = await used(tmp_path, "document", path="a.pdf")
    except ToolError:
        return
    assert len(text) < 500_000


@given(st.text(alphabet="<>/abcdptscrile\"'= &;!-\n", max_size=300))
def test_any_markup_becomes_bounded_text(markup: str) -> None:
    _, text = text_of_html(markup, 50)
    assert len(text) <= 50
    assert "<script" not in text
