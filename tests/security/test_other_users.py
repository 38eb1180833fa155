"""The attacker is another user of the machine, who reads whatever he may."""

from __future__ import annotations

import asyncio
import logging
import os
import stat
import sys
import time
from typing import TYPE_CHECKING

import pytest

from coai_agents.analysis.findings.findings import Analysis
from coai_agents.analysis.rules import rule_pages
from coai_agents.analysis.run.remembered import AnalysisCache
from coai_routing.engine.record import secure_directory
from coai_routing.own_files import own_folder
from coai_routing.privacy.departures import EgressLog
from coai_routing.records.spending import Budgets, SpendingLedger
from coai_routing.records.usage_file import open_ledger
from coai_routing.router.cache import DiskAnswers
from coai_routing.router.calls import Departure
from coai_routing.weights.store_files import write_json
from coai_server.daemon import logs
from tests.security.hostile import BAD, COAI, HostileRepository
from tests.support.lsp_client import ServerProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX's")


@pytest.fixture(autouse=True)
def careless() -> Iterator[None]:
    """Have a umask that takes nothing away, here and in what is started."""
    before = os.umask(0)
    yield
    os.umask(before)


PATIENCE = 600
"""Looks at what the daemon writes behind its answers, 0.05 s apart."""


def _readable(folder: Path) -> list[str]:
    """Return what in a folder somebody else may look at."""
    return [
        f"{path.relative_to(folder)} {stat.S_IMODE(path.stat().st_mode):o}"
        for path in folder.rglob("*")
        if path.stat().st_mode & 0o077
    ]


def _open_up(folder: Path) -> None:
    for path in folder.rglob("*"):
        path.chmod(0o777 if path.is_dir() else 0o666)


def _answers(folder: Path) -> None:
    answers = DiskAnswers(folder / "answers", 1_000_000)
    answers.measure()
    answers.close()


def _books(folder: Path) -> None:
    books = SpendingLedger(folder / "books.sqlite3", Budgets)
    books.refresh()
    books.close()


def _log(folder: Path) -> None:
    logs.configure("info", folder / "coai.log")
    logging.getLogger("coai_server").warning("said")
    logs.configure("info")


def _departures(folder: Path) -> None:
    log = EgressLog(folder / "e.sqlite3")
    log.write(Departure("https://a.example", "a", "m", "code_analysis", 1, "allowed"))
    asyncio.run(log.aclose())


MAKERS: dict[str, Callable[[Path], None]] = {
    "answers": _answers,
    "books": _books,
    "departures": _departures,
    "ledger": lambda folder: open_ledger(folder / "ledger.sqlite3").close(),
    "analyses": lambda folder: AnalysisCache(folder / "audit.sqlite").keep(
        {"k": Analysis("file:///x", 0, ())}
    ),
    "pages of rules": lambda folder: rule_pages.write(folder / "rules", ["command-injection"]),
    "notes of downloads": lambda folder: write_json(folder / "x.json", {}),
    "state of the engine": secure_directory,
    "log": _log,
}


@pytest.mark.parametrize("kind", MAKERS)
def test_what_is_made_is_its_users_alone_and_what_was_not_is_mended(
    tmp_path: Path, kind: str
) -> None:
    folder = tmp_path / "state" / "coai"
    own_folder(folder)
    MAKERS[kind](folder)
    assert _readable(tmp_path) == []
    _open_up(folder)
    folder.chmod(0o755)
    own_folder(folder)
    MAKERS[kind](folder)
    assert _readable(tmp_path) == []


def test_nothing_that_a_user_leaves_behind_is_for_others(tmp_path: Path) -> None:
    hostile = HostileRepository(tmp_path)
    path = hostile.write("f.py")
    home = hostile.home

    def use() -> None:
        assert hostile.coai("audit", ".").code == 1
        log = home / "coai" / "log" / "coai.log"
        with ServerProcess(
            "serve", "--log-file", str(log), program=(str(COAI),), env=hostile.environment()
        ) as daemon:
            daemon.initialize()
            daemon.notify("initialized", {})
            item = {"uri": path.as_uri(), "languageId": "python", "version": 1, "text": BAD}
            daemon.notify("textDocument/didOpen", {"textDocument": item})
            daemon.notification("textDocument/publishDiagnostics")
            # Pages of rules are written while the user reads.
            page = home / "coai" / "rules" / "command-injection.md"
            for _ in range(PATIENCE):
                if page.exists() and not _readable(page.parent):
                    break
                time.sleep(0.05)

    use()
    assert {each.name for each in home.rglob("*")} >= {"audit.sqlite", "ledger.sqlite3", "coai.log"}
    assert _readable(home) == []
    _open_up(home / "coai")
    use()
    assert _readable(home) == []
