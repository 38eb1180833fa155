"""Runs of workflows: seen live, begun, answered, stopped, and their changes made in the editor.

Commands that take one object each, see docs/editor-runs.md: `coai.runs`, `coai.run`,
`coai.runReport`, `coai.ensembles`, `coai.startRun`, `coai.answerRun`, `coai.resumeRun`,
`coai.pauseRun`, `coai.cancelRun`, `coai.applyRun`, `coai.watchRuns`. A client that watches is sent
`coai/runsChanged` with the names of the runs in which something has happened.

Nothing of workflows is imported before the first of them.
"""

from __future__ import annotations

import asyncio
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from lsprotocol import types

from coai_routing.errors import CoaiError
from coai_server.lsp.server import CLOSE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from coai_agents.workflows.engine.engine import Wish
    from coai_agents.workflows.reports.report import Report
    from coai_server.daemon.runs import EditorRuns
    from coai_server.lsp.features.findings.diagnostics import Diagnostics
    from coai_server.lsp.server import Server

Given: TypeAlias = dict[str, Any]
Command: TypeAlias = "Callable[[Given], Awaitable[Given | None]]"

RUNS: Final = "coai.runs"
RUN: Final = "coai.run"
REPORT: Final = "coai.runReport"
ENSEMBLES: Final = "coai.ensembles"
START: Final = "coai.startRun"
ANSWER: Final = "coai.answerRun"
RESUME: Final = "coai.resumeRun"
PAUSE: Final = "coai.pauseRun"
CANCEL: Final = "coai.cancelRun"
APPLY: Final = "coai.applyRun"
WATCH: Final = "coai.watchRuns"
CHANGED: Final = "coai/runsChanged"

APPLY_SECONDS: Final = 3_600.0
"""How long a client may take to apply changes: its user looks at each of them first."""

_HEAVY: Final = (
    "coai_agents.workflows.engine.engine",
    "coai_server.lsp.features.agents.proposed_edits",
    "coai_server.daemon.runs",
)


class RunsAskedWronglyError(CoaiError):
    """A command for runs was not given what it needs."""


class Running:
    """Carries the commands out; the runs are opened by the first of them."""

    def __init__(self, server: Server, known: Diagnostics) -> None:
        self._server = server
        self._known = known
        self._opening = asyncio.Lock()
        self._runs: EditorRuns | None = None

    async def runs(self) -> EditorRuns:
        """Return the runs of the client's folders."""
        async with self._opening:
            if self._runs is None:
                for module in _HEAVY:
                    # In a thread, because a keystroke may be waiting for something else.
                    await asyncio.to_thread(import_module, module)
                from coai_server.daemon.runs import EditorRuns  # noqa: PLC0415 - see _HEAVY

                services = self._server.services
                self._runs = EditorRuns(services.models, lambda: services.settings, self.folders)
                self._server.session.on_stop(self._runs.aclose, seconds=CLOSE_SECONDS)
        return self._runs

    def folders(self) -> list[Path]:
        """Return the client's folders that are on this machine."""
        paths = (folder.path for folder in self._server.documents.folders)
        return [path for path in paths if path is not None]

    def root(self, given: Given) -> Path:
        """Return the folder that `uri` names or lies in, the first one where nothing is named."""
        folders = self.folders()
        if not folders:
            raise RunsAskedWronglyError(
                "There is no folder that a run could be about.", remedy="Open one."
            )
        uri = str(given.get("uri") or "")
        if not uri:
            return folders[0]
        for folder in folders:
            if uri.rstrip("/") == folder.as_uri():
                return folder
        known = self._server.documents.folder_of(uri)
        if known is None or known.path is None:
            raise RunsAskedWronglyError(f"{uri} is in none of the folders that are open.")
        return known.path

    async def watch(self, *, on: bool) -> None:
        """Tell the client from now on which runs have changed, or not any more."""
        runs = await self.runs()
        if on:
            await runs.watch(self._changed)
        else:
            await runs.unwatch()

    def _changed(self, names: list[str]) -> None:
        self._server.coai_protocol.notify(CHANGED, {"runs": names})

    # ----------------------------------------------------------------------- changes

    async def apply(self, run: str) -> Given:
        """Have the client make a run's changes, all of them or none, once the tests pass with them.

        Raises `WorkflowError` where one of them cannot be made now.
        """
        from coai_agents.workflows.errors import WorkflowError  # noqa: PLC0415 - see _HEAVY
        from coai_server.lsp.features.agents.proposed_edits import (  # noqa: PLC0415 - as above
            edit_of,
            refuse_unsaved,
        )

        runs = await self.runs()
        report = await runs.report(run)
        if not report.edits:
            raise WorkflowError(f"The run {report.story.row.id} proposes no change.")
        workspace = Path(str(report.story.row.facts["workspace"]))
        changes = await runs.changes(report)
        documents = self._server.documents
        refuse_unsaved(changes, documents.snapshot)
        edit = edit_of(changes, self._server.client_capabilities, documents, _label(report))
        command = self._server.services.settings.agents.test_command
        # Tests are code of the workspace.
        tests = command if self._known.trusts(workspace) else ""
        trial = await runs.tried(changes, workspace, tests) if tests else None
        answer: Given = {
            "applied": False,
            "files": [each.name for each in changes],
            "tested": None if trial is None else trial.passed,
            "said": "" if trial is None else trial.sentence,
            "output": "" if trial is None else trial.output,
        }
        if trial is None or trial.passed:
            params = types.ApplyWorkspaceEditParams(edit=edit, label=_label(report))
            async with asyncio.timeout(APPLY_SECONDS):
                answered = await self._server.workspace_apply_edit_async(params)
            answer["applied"] = answered.applied
            if not answered.applied and answered.failure_reason:
                answer["said"] = answered.failure_reason
        return answer

    # ---------------------------------------------------------------------- commands

    def commands(self) -> dict[str, Command]:
        """Return every command, by its name."""
        return {
            RUNS: self._listed,
            RUN: self._told,
            REPORT: self._reported,
            ENSEMBLES: self._ensembles,
            START: self._started,
            ANSWER: self._answered,
            RESUME: self._resumed,
            PAUSE: lambda given: self._stopped(given, "pause"),
            CANCEL: lambda given: self._stopped(given, "cancel"),
            APPLY: lambda given: self.apply(_text(given, "run")),
            WATCH: lambda given: self.watch(on=given.get("on") is not False),
        }

    async def _listed(self, _: Given) -> Given:
        return {"runs": await (await self.runs()).rows()}

    async def _told(self, given: Given) -> Given:
        return await (await self.runs()).told(_text(given, "run"))

    async def _reported(self, given: Given) -> Given:
        report = await (await self.runs()).report(_text(given, "run"))
        return {"markdown": report.as_markdown()}

    async def _ensembles(self, given: Given) -> Given:
        root = self.root(given)
        return {"ensembles": await (await self.runs()).ensembles(root)}

    async def _started(self, given: Given) -> Given:
        root, name = self.root(given), _text(given, "ensemble")
        return {"run": await (await self.runs()).start(name, given.get("input", ""), root)}

    async def _answered(self, given: Given) -> Given:
        name, step = _text(given, "run"), _text(given, "step")
        if "answer" not in given:
            raise RunsAskedWronglyError("There is no answer.")
        return {"run": await (await self.runs()).answer(name, step, given["answer"])}

    async def _resumed(self, given: Given) -> Given:
        return {"run": await (await self.runs()).resume(_text(given, "run"))}

    async def _stopped(self, given: Given, wish: Wish) -> Given:
        return {"run": await (await self.runs()).stop(_text(given, "run"), wish)}


def _label(report: Report) -> str:
    return f"COAI: {report.story.row.name}"


def register(server: Server, known: Diagnostics) -> None:
    """Register the commands."""
    for name, command in Running(server, known).commands().items():
        server.command(name)(_taking(command))


def _taking(command: Command) -> Callable[..., Awaitable[Given | None]]:
    """Return a command as pygls calls it."""

    async def called(*arguments: object) -> Given | None:
        return await command(_given(arguments))

    return called


def _given(arguments: tuple[object, ...]) -> Given:
    first = arguments[0] if arguments else None
    return cast("dict[str, Any]", first) if isinstance(first, dict) else {}


def _text(given: Given, name: str) -> str:
    value = given.get(name)
    if not isinstance(value, str) or not value:
        raise RunsAskedWronglyError(f"`{name}` has to be said.")
    return value
