"""The tool that reads documents: checks what may be read, and has a bounded process read it."""

from __future__ import annotations

import asyncio
import json
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from coai_agents.tools.errors import ToolError
from coai_agents.tools.tool import Tool, text_of
from coai_agents.workflows.definition.known import Signature
from coai_agents.workflows.definition.types import TEXT, Json
from coai_routing.processes import python_command, start_async

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Mapping

    from coai_agents.tools.tool import Bench, Given

MOST_BYTES: Final = 30_000_000
MOST_WRITTEN: Final = 10_000_000
"""Of what the process writes: six bytes for each character that JSON escapes, and some room."""
SECONDS: Final = 90.0

KINDS: Final[Mapping[str, str]] = {
    ".pdf": "pdf",
    ".docx": "docx",
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
    ".html": "html",
    ".htm": "html",
}


async def _document(given: Given, bench: Bench) -> Json:
    name = text_of(given, "path")
    kind = KINDS.get(PurePosixPath(name).suffix.lower())
    if kind is None:
        raise ToolError(
            f"{name} is none of {', '.join(KINDS)}.", remedy="The tool `read` reads plain text."
        )
    content = await asyncio.to_thread(bench.folder.content, name, MOST_BYTES)
    said = await _read(name, kind, content)
    bench.folder.seen.add(name)
    return said


async def _read(name: str, kind: str, content: bytes) -> str:
    command = python_command("coai_agents.tools.documents.child", kind)
    process = await start_async(command, own_group=True)
    try:
        async with asyncio.timeout(SECONDS):
            out = await _answer(process, content)
    except TimeoutError as error:
        raise ToolError(f"{name} took longer than {SECONDS:g} s to read.") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    try:
        said: Mapping[str, Json] = json.loads(out)
    except ValueError as error:
        raise ToolError(f"{name} is not read: it needs more than a document may.") from error
    if "missing" in said:
        raise ToolError(
            f"{name} cannot be read: {said['missing']} is not installed.",
            remedy="Install the extra: `pip install 'coai[documents]'`.",
        )
    if "error" in said:
        raise ToolError(f"{name} is not read: {said['error']}.")
    return str(said["text"])


async def _answer(process: Process, content: bytes) -> bytes:
    assert process.stdin is not None
    assert process.stdout is not None
    reading = asyncio.create_task(process.stdout.read(MOST_WRITTEN))
    try:
        process.stdin.write(content)
        await process.stdin.drain()
        process.stdin.close()
    except (BrokenPipeError, ConnectionResetError):
        pass  # It ended before it had read all: what it wrote says why.
    out = await reading
    while piece := await process.stdout.read(64 * 1024):
        out += piece
        if len(out) > MOST_WRITTEN:
            raise ToolError("The document says more than anybody reads.")
    await process.wait()
    return out


DOCUMENTS: Final[Mapping[str, Tool]] = {
    "document": Tool(
        Signature({"path": TEXT}, TEXT, ("path",), "reads", "the text of a PDF, DOCX, XLSX, HTML"),
        _document,
    )
}
