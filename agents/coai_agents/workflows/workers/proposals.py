"""Proposed changes of files: values of JSON that a run keeps until the user applies them.

A path comes from a model or a plan and is confined: relative, inside of the workspace, and none of
the places where a text becomes a command by itself. Applying is all or nothing.
"""

from __future__ import annotations

import difflib
import re
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from coai_agents.workflows.definition.types import TEXT, Type, is_list, is_object
from coai_agents.workflows.errors import WorkflowError
from coai_routing.workspace_files import (
    UnsafeFileError,
    read_file,
    replace_file,
    write_file,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from coai_agents.workflows.definition.types import Json

EDITS: Final = Type("object", fields=(("edits", Type("list", item=Type("any"))), ("summary", TEXT)))
"""What a step gives that proposes changes."""

MOST_BYTES: Final = 5_000_000
MOST_FILES: Final = 50

_ACTIVE: Final = (
    *(".git", ".hg", ".svn", ".jj", ".coai", ".vscode", ".idea", ".github", ".gitlab", ".circleci"),
    *(".husky", ".devcontainer", ".envrc", ".env", ".gitlab-ci.yml", ".travis.yml", ".gitmodules"),
    *(".gitattributes", ".pre-commit-config.yaml", "jenkinsfile", "azure-pipelines.yml", ".ci"),
)
"""Files and folders that something runs or obeys without being asked; in small letters."""

_FENCE: Final = re.compile(
    r"^(?P<marks>`{3,}|~{3,})[^\n]*?\bpath:\s*(?P<path>[^\s`]+)[^\n]*\n"
    r"(?P<text>.*?)^(?P=marks)[ \t]*$",
    re.MULTILINE | re.DOTALL,
)


def digest(content: bytes) -> str:
    """Return what tells one content of a file from another."""
    return blake2b(content, digest_size=16).hexdigest()


def refusal(path: str) -> str:
    """Say why a path may not be written to; empty where it may."""
    pure = PurePosixPath(path)
    if not path or path != path.strip() or "\\" in path or ":" in path or "\0" in path:
        return "it is no relative path"
    if pure.is_absolute() or ".." in pure.parts or not pure.parts:
        return "it leads out of the workspace"
    lowered = [part.casefold().rstrip(". ") for part in pure.parts]
    if active := next((part for part in lowered if part in _ACTIVE), None):
        return f"what is in {active} is run or obeyed unasked"
    return ""


def edit(path: str, before: str | None, after: str) -> Json:
    """Return a change of a file as JSON; `before` is None for a new one."""
    old = [] if before is None else before.splitlines(keepends=True)
    diff = difflib.unified_diff(
        old,
        after.splitlines(keepends=True),
        "/dev/null" if before is None else f"a/{path}",
        f"b/{path}",
    )
    return {
        "path": path,
        "before": None if before is None else digest(before.encode()),
        "after": after,
        "diff": "".join(each if each.endswith("\n") else f"{each}\n" for each in diff),
    }


def files_in(words: str) -> Iterator[tuple[str, str]]:
    """Yield the files that a model wrote in fences with `path:`, with their whole text."""
    for match in _FENCE.finditer(words.replace("\r\n", "\n")):
        yield match["path"].strip("\"'"), match["text"]


def edits_in(outputs: Sequence[Json]) -> list[dict[str, Json]]:
    """Return all changes that values propose, the last one of a file."""
    found: dict[str, dict[str, Json]] = {}

    def look(value: Json, depth: int) -> None:
        if depth > 6:  # noqa: PLR2004 - deeper than any step puts them
            return
        if is_list(value):
            for each in value:
                look(each, depth + 1)
        elif is_object(value):
            if {"path", "before", "after", "diff"} <= value.keys():
                found[str(value["path"])] = value
            else:
                for each in value.values():
                    look(each, depth + 1)

    for output in outputs:
        look(output, 0)
    return list(found.values())


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a file that may be made now."""

    path: Path
    name: str
    """Its path in the workspace."""
    before: bytes | None
    """What is there; None where nothing is."""
    after: bytes


def checked(edits: Sequence[Mapping[str, Json]], workspace: Path) -> list[Change]:
    """Return changes that may be made now; raises `WorkflowError` if one of them may not."""
    return [_checked(each, workspace) for each in edits]


def apply(edits: Sequence[Mapping[str, Json]], workspace: Path) -> list[Path]:
    """Write changes, all of them or none; returns the files. Raises `WorkflowError`."""
    return write(checked(edits, workspace), workspace)


def write(changes: Sequence[Change], workspace: Path) -> list[Path]:
    """Write changes that were checked, all of them or none; raises `WorkflowError`."""
    folders = new_folders(changes)
    written: list[Change] = []
    path = workspace
    try:
        for change in changes:
            path = change.path
            if change.before is None:
                path.parent.mkdir(parents=True, exist_ok=True)
                write_file(path, change.after)
            else:
                replace_file(path, change.before, change.after, [workspace])
            written.append(change)
    except OSError as error:
        left = take_back(written, folders, workspace)
        rest = f"All but {', '.join(left)} is as it was." if left else "Nothing was changed."
        raise WorkflowError(
            f"{path} could not be written: {error}. {rest}",
            remedy="See that it can be written to, and apply the run again.",
        ) from error
    return [change.path for change in changes]


def new_folders(changes: Sequence[Change]) -> list[Path]:
    """Return the folders that changes make, the innermost first."""
    found = {each for change in changes for each in change.path.parents if not each.exists()}
    return sorted(found, key=lambda each: -len(each.parts))


def take_back(
    changes: Sequence[Change], folders: Sequence[Path], workspace: Path
) -> tuple[str, ...]:
    """Have files be what they were before changes that were written, and folders gone.

    Returns the names of files that are left as they are, because somebody has changed them since,
    or they cannot be written.
    """
    left: list[str] = []
    for change in reversed(changes):
        try:
            _take_back(change, workspace)
        except OSError:
            left.append(change.name)
    for folder in folders:
        with suppress(OSError):  # something else lies in it
            folder.rmdir()
    return tuple(left)


def _take_back(change: Change, workspace: Path) -> None:
    try:
        now = read_file(change.path, MOST_BYTES, [workspace], follow=False)
    except FileNotFoundError:
        if change.before is None:
            return
        raise
    if now == change.before:
        return
    if now != change.after:
        raise UnsafeFileError("it has changed since it was written")
    if change.before is None:
        change.path.unlink()
    else:
        replace_file(change.path, change.after, change.before, [workspace])


def _checked(change: Mapping[str, Json], workspace: Path) -> Change:
    """Return what is there and what is to be; raises `WorkflowError`."""
    name = str(change["path"])
    if why := refusal(name):
        raise WorkflowError(f"{name} is not written: {why}.")
    path, after = workspace / name, str(change["after"]).encode()
    if not path.parent.resolve().is_relative_to(workspace.resolve()):
        raise WorkflowError(f"{name} is not written: a link leads out of the workspace.")
    if change["before"] is None:
        if path.exists() or path.is_symlink():
            raise WorkflowError(f"{name} is there already, and was to be new.")
        return Change(path, name, None, after)
    try:
        content = read_file(path, MOST_BYTES, [workspace], follow=False)
    except OSError as error:
        raise WorkflowError(f"{name} cannot be read: {error}.") from error
    if digest(content) != change["before"]:
        raise WorkflowError(
            f"{name} has changed since the run looked at it.", remedy="Run the plan again."
        )
    return Change(path, name, content, after)
