"""An audit of the workspace that ends early, at whatever it was."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from coai_server.lsp.features.findings import workspace_audit
from coai_server.lsp.features.findings.workspace_audit import WorkspaceAudit
from coai_server.lsp.features.work_progress import ProgressBar

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from coai_server.lsp.server import Server


class NoFiles(WorkspaceAudit):
    """An audit of a workspace without files, over a client that only has to open a bar."""

    def __init__(self, folder: Path) -> None:
        documents = SimpleNamespace(
            on_open=[], on_close=[], folders=[SimpleNamespace(path=folder)], encoding=None
        )
        server: Any = SimpleNamespace(documents=documents)
        super().__init__(cast("Server", server), cast("Any", SimpleNamespace(analyses=None)))

    async def _audit(self, roots: Sequence[Path], bar: Any, audit: Any) -> dict[str, Any]:  # noqa: ANN401 - as in the class above
        return {"files": 0}


@pytest.mark.parametrize("failure", [asyncio.CancelledError, RuntimeError])
async def test_an_audit_that_ended_while_its_bar_opened_can_be_asked_for_again(
    failure: type[BaseException], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def no_bar(_server: object, _title: str) -> ProgressBar:
        raise failure

    async def a_bar(_server: object, _title: str) -> ProgressBar:
        stopped: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        return ProgressBar(lambda _said, _percent: None, lambda: None, stopped)

    audit = NoFiles(tmp_path)
    monkeypatch.setattr(workspace_audit, "open_bar", no_bar)
    with pytest.raises(failure):
        await audit.run()
    monkeypatch.setattr(workspace_audit, "open_bar", a_bar)
    assert await audit.run() == {"files": 0}
