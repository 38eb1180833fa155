"""Proposed changes tried by the user's own tests: all of them stay, or none does.

Tests need files where they belong, with their environment beside them. So changes are written in
their places, and taken back unless the tests pass. Before that it is noted beside the journal what
was there: a process that is killed meanwhile leaves its note, and whoever tries changes of that
folder next takes them back first. A file that somebody has changed meanwhile is left as it is.

The command is the user's own: see `coai_agents.tools.users_command`.
"""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from coai_agents.tools.testing import KEPT_CHARACTERS, SECONDS
from coai_agents.tools.users_command import TestCommandError, run_command, words_of
from coai_agents.workflows.errors import WorkflowError
from coai_agents.workflows.journal.owners import is_dead, this_process
from coai_agents.workflows.journal.tables import location
from coai_agents.workflows.workers.proposals import Change, new_folders, take_back, write
from coai_routing.own_files import own_folder, write_own_file
from coai_routing.workspace_files import read_file

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_BYTES: Final = 400_000_000
"""Of a note: more than all files of one run together, as text."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of changes that were tried."""

    passed: bool
    output: str
    """The end of what the tests wrote."""
    seconds: float
    timed_out: bool
    left: tuple[str, ...] = ()
    """Files that were not taken back, because somebody has changed them meanwhile."""

    @property
    def sentence(self) -> str:
        """What happened, for the user."""
        if self.passed:
            return f"The tests pass ({self.seconds:.1f} s)."
        why = "took too long" if self.timed_out else "fail"
        if not self.left:
            return f"The tests {why} with this, so nothing of it was kept."
        return (
            f"The tests {why} with this, so it was taken back, but for what has changed "
            f"meanwhile: {', '.join(self.left)}."
        )


async def tried(
    changes: Sequence[Change],
    workspace: Path,
    command: str,
    *,
    keep: bool,
    seconds: float = SECONDS,
) -> Trial:
    """Write changes, run the user's tests, and take the changes back unless they pass.

    Without `keep` they are taken back in any case. Whatever ends this, a cancelled task too, takes
    them back. Raises `WorkflowError`, and then nothing was changed.
    """
    try:
        words = words_of(command, workspace)
    except TestCommandError as error:
        raise WorkflowError(error.message, remedy=error.remedy) from error
    await asyncio.to_thread(recovered, workspace)
    folders, note = new_folders(changes), _note(workspace)
    _write_note(note, changes, folders, workspace)
    written = kept = False
    left: tuple[str, ...] = ()
    try:
        write(changes, workspace)
        written = True
        done = await run_command(words, seconds=seconds, directory=workspace)
        kept = keep and done.passed
    except OSError as error:
        raise WorkflowError(
            f"The test command cannot be run: {error}. Nothing was changed.",
            remedy="Name one that this shell would find.",
        ) from error
    finally:
        if written and not kept:
            left = take_back(changes, folders, workspace)
        note.unlink(missing_ok=True)
    output = done.output[-KEPT_CHARACTERS:]
    return Trial(done.passed, output, done.seconds, done.timed_out, left)


def recovered(workspace: Path) -> tuple[str, ...]:
    """Take back what a process that was killed has left of a trial in a folder.

    Returns the names of the files that had been written. Raises `WorkflowError` while another
    process tries changes there, and where files have been changed since.
    """
    note = _note(workspace)
    try:
        told: dict[str, Any] = json.loads(read_file(note, MOST_BYTES))
    except FileNotFoundError:
        return ()
    except (OSError, ValueError) as error:
        raise WorkflowError(
            f"What an earlier try has left cannot be read: {error}.",
            remedy=f"See whether the folder is as it should be, and delete {note}.",
        ) from error
    if not is_dead(told["owner"]):
        raise WorkflowError(
            f"Changes of {workspace} are being tried by another process.",
            remedy="Wait for its tests to end.",
        )
    changes = [_change(each, workspace) for each in told["changes"]]
    left = take_back(changes, [Path(each) for each in told["folders"]], workspace)
    note.unlink(missing_ok=True)
    if left:
        raise WorkflowError(
            "An earlier try was cut short, and these files have changed since: "
            f"{', '.join(left)}. All others of it were taken back.",
            remedy="See whether they are as they should be, and apply the run again.",
        )
    return tuple(each.name for each in changes)


def _note(workspace: Path) -> Path:
    name = blake2b(str(workspace.resolve()).encode(), digest_size=12).hexdigest()
    return location().with_name("trying") / f"{name}.json"


def _write_note(
    note: Path, changes: Sequence[Change], folders: Sequence[Path], workspace: Path
) -> None:
    told = {
        "owner": str(this_process()),
        "workspace": str(workspace),
        "folders": [str(each) for each in folders],
        "changes": [
            {
                "name": each.name,
                "before": None if each.before is None else _encoded(each.before),
                "after": _encoded(each.after),
            }
            for each in changes
        ],
    }
    try:
        own_folder(note.parent)
        write_own_file(note, json.dumps(told))
    except OSError as error:
        raise WorkflowError(
            f"It cannot be noted what is there now: {error}. Nothing was changed.",
            remedy=f"See that {note.parent} can be written to and its disk has room.",
        ) from error


def _encoded(content: bytes) -> str:
    return base64.b85encode(content).decode()


def _change(told: dict[str, Any], workspace: Path) -> Change:
    before = told["before"]
    return Change(
        workspace / told["name"],
        told["name"],
        None if before is None else base64.b85decode(before),
        base64.b85decode(told["after"]),
    )
