"""The process that reads a document: `python -m ... KIND`, bytes in, JSON out, then it ends.

Libraries that read documents are large, and documents come from strangers: so they have a process
of their own, with as much memory and time as an honest document needs, no workspace and no network
address to go to. Archives are looked over before anything unpacks them (zip bombs), and XML that
declares entities is refused (XXE, entity expansion), before a parser sees it.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import zipfile
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

MOST_CHARACTERS: Final = 400_000
MOST_PAGES: Final = 1_000
MOST_ROWS: Final = 20_000
MOST_COLUMNS: Final = 200
MOST_ENTRIES: Final = 5_000
MOST_UNPACKED: Final = 200_000_000
MOST_RATIO: Final = 200
"""Of what is unpacked to what is packed, for more than a megabyte: text comes to some 20."""

MEMORY_BYTES: Final = 1_500_000_000
CPU_SECONDS: Final = 60

_MEGABYTE: Final = 1_000_000


class DocumentError(Exception):
    """A document is not read, and why."""


def main() -> None:
    """Read a document from the standard input and write what it says."""
    _bound_this_process()
    kind = sys.argv[1]
    try:
        said: dict[str, Any] = {"text": text_of(kind, sys.stdin.buffer.read())}
    except DocumentError as error:
        said = {"error": str(error)}
    except ImportError as error:
        said = {"missing": error.name or str(error)}
    except MemoryError:
        said = {"error": "it needs more memory than a document may"}
    except Exception as error:  # noqa: BLE001 - whatever a library says of a broken file
        said = {"error": f"it is no whole document: {type(error).__name__}: {error}"[:500]}
    sys.stdout.write(json.dumps(said))


def text_of(kind: str, content: bytes) -> str:
    """Return a document's text, at most `MOST_CHARACTERS` of it; raises `DocumentError`."""
    readers: Mapping[str, Callable[[bytes], Iterator[str]]] = {
        "pdf": _pdf,
        "docx": _docx,
        "xlsx": _xlsx,
        "html": _html,
    }
    pieces: list[str] = []
    size = 0
    for piece in readers[kind](content):
        pieces.append(piece)
        size += len(piece)
        if size > MOST_CHARACTERS:
            break
    text = "".join(pieces)
    more = len(text) > MOST_CHARACTERS
    return f"{text[:MOST_CHARACTERS]}\n[more is left out]" if more else text


def _pdf(content: bytes) -> Iterator[str]:
    import logging  # noqa: PLC0415 - of the one library

    from pypdf import PdfReader  # noqa: PLC0415 - an extra

    logging.disable()
    reader = PdfReader(io.BytesIO(content), strict=False)
    if reader.is_encrypted and not reader.decrypt(""):
        raise DocumentError("it is encrypted")
    for page in islice(reader.pages, MOST_PAGES):
        yield f"{page.extract_text()}\n\n"


def _docx(content: bytes) -> Iterator[str]:
    _look_over(content)
    from docx import Document  # noqa: PLC0415 - an extra
    from docx.table import Table  # noqa: PLC0415 - as above

    for part in Document(io.BytesIO(content)).iter_inner_content():
        if isinstance(part, Table):
            for row in part.rows:
                yield "\t".join(cell.text for cell in row.cells) + "\n"
        else:
            yield f"{part.text}\n"


def _xlsx(content: bytes) -> Iterator[str]:
    _look_over(content)
    from openpyxl import load_workbook  # noqa: PLC0415 - an extra

    book = load_workbook(io.BytesIO(content), read_only=True, data_only=True, keep_links=False)
    for sheet in book.worksheets:
        yield f"[{sheet.title}]\n"
        rows = sheet.iter_rows(max_row=MOST_ROWS, max_col=MOST_COLUMNS, values_only=True)
        for row in rows:
            cells = ["" if cell is None else str(cell) for cell in row]
            if line := "\t".join(cells).rstrip("\t"):
                yield f"{line}\n"


def _html(content: bytes) -> Iterator[str]:
    from coai_agents.tools.documents.markup import text_of_html  # noqa: PLC0415 - of the one kind

    title, text = text_of_html(content.decode("utf-8", "replace"), MOST_CHARACTERS)
    if title:
        yield f"{title}\n\n"
    yield text


def _look_over(content: bytes) -> None:
    """Raise `DocumentError` for an archive that is a bomb, or XML that declares entities."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = archive.infolist()
        if len(entries) > MOST_ENTRIES:
            raise DocumentError(f"it has more than {MOST_ENTRIES} parts")
        unpacked = sum(entry.file_size for entry in entries)
        if unpacked > MOST_UNPACKED:
            raise DocumentError(f"unpacked it has {unpacked:,} bytes")
        for entry in entries:
            ratio = entry.file_size / max(1, entry.compress_size)
            if entry.file_size > _MEGABYTE and ratio > MOST_RATIO:
                raise DocumentError(f"{entry.filename} unpacks to {ratio:.0f} times its size")
            if entry.filename.lower().endswith((".xml", ".rels", ".vml")):
                # Without the zeros of UTF-16 it reads as ASCII does.
                plain = archive.read(entry).replace(b"\0", b"")
                if b"<!DOCTYPE" in plain or b"<!ENTITY" in plain:
                    raise DocumentError(f"{entry.filename} declares entities")


def _bound_this_process() -> None:
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 - Windows has none

    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))


if __name__ == "__main__":
    main()
