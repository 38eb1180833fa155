"""`coai document --as`: a guide, a tutorial or the architecture of a project, as Markdown."""

from __future__ import annotations

import tempfile
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from coai_server.cli.agents.api import check, finish_document, told
from coai_server.cli.agents.models import asker
from coai_server.cli.files import write_text

if TYPE_CHECKING:
    from coai_agents.application.specialists.pages import Attempt
    from coai_agents.specialists.documents.pages.examples import Example
    from coai_server.cli.agents.api import Wish

RUN_SECONDS: Final = 30.0
"""How long one example may run."""

_SUFFIXES: Final = {
    "python": ".py", "javascript": ".js", "typescript": ".ts", "go": ".go", "ruby": ".rb",
    "php": ".php", "java": ".java", "rust": ".rs", "csharp": ".cs", "kotlin": ".kt",
}  # fmt: skip


class Page(StrEnum):
    """Which page is made; the application layer's names, known before it is loaded."""

    GUIDE = "guide"
    TUTORIAL = "tutorial"
    ARCHITECTURE = "architecture"


async def write_page(
    path: Path, page: Page, wish: Wish, command: str | None, *, alias: str | None, wanted: bool
) -> None:
    """Make a page, write it, and end the command: 0, or 2 where a file was left out."""
    from coai_agents.application.specialists import pages  # noqa: PLC0415 (not for `--help`)

    with told(wish):
        check(wish)
        attempt = None if command is None else _attempt(command)
        made = pages.PageWish(pages.PageKind(page), wish.template, attempt, command or "")
        async with asker(path, agent="document", wanted=wanted, alias=alias) as asked:
            document = await pages.page(path, made, asked)
        finish_document(document, wish)


def _attempt(command: str) -> Attempt:
    """Return what runs a program by the user's command; raises `TestCommandError`."""
    from coai_agents.application.testing import run_command, words_of  # noqa: PLC0415 (only to run)

    here = Path.cwd()
    words = words_of(command, here)

    async def attempt(example: Example, program: str) -> bool:
        with tempfile.TemporaryDirectory(prefix="coai-example-") as folder:
            file = Path(folder) / f"example{_SUFFIXES.get(example.language, '.txt')}"
            write_text(file, program)
            named = [each.replace("{}", str(file)) for each in words]
            whole = named if named != words else [*words, str(file)]
            return (await run_command(whole, seconds=RUN_SECONDS, directory=here)).passed

    return attempt
