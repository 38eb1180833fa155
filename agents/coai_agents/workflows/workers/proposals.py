"""Proposed changes of files: values of JSON that a run keeps until the user applies them.

A path comes from a model or a plan and is confined: relative, inside of the workspace, and none of
the places where a text becomes a command by itself. Applying is all or nothing.
"""

from __future__ import annotations

import difflib
import re
from hashlib import blake2b
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from coai_agents.workflows.definition.types import TEXT, Type, is_list, is_object
from coai_agents.workflows.errors import WorkflowError
from coai_routing.workspace_files import read_file, replace_file, write_file

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


def apply(edits: Sequence[Mapping[str, Json]], workspace: Path) -> list[Path]:
    """Write changes, all of them or none; returns the files. Raises `WorkflowError`."""
    wanted = [_checked(each, workspace) for each in edits]
    written: list[tuple[Path, bytes | None, bytes]] = []
    path = workspace
    try:
        for path, before, after in wanted:
            if before is None:
                path.parent.mkdir(parents=True, exist_ok=True)
                write_file(path, after)
            else:
                replace_file(path, before, after, [workspace])
            written.append((path, before, after))
    except OSError as error:
        for done, before, after in reversed(written):
            if before is None:
                done.unlink()
            else:
                replace_file(done, after, before, [workspace])
        raise WorkflowError(
            f"{path} could not be written: {error}. Nothing was changed.",
            remedy="See that it can be written to, and apply the run again.",
        ) from error
    return [path for path, _, _ in written]


def _checked(change: Mapping[str, Json], workspace: Path) -> tuple[Path, bytes | None, bytes]:
    """Return a path with what is there and what is to be; raises `WorkflowError`."""
    name = str(change["path"])
    if why := refusal(name):
        raise WorkflowError(f"{name} is not written: {why}.")
    path, after = workspace / name, str(change["after"]).encode()
    if not path.parent.resolve().is_relative_to(workspace.resolve()):
        raise WorkflowError(f"{name} is not written: a link leads out of the workspace.")
    if change["before"] is None:
        if path.exists() or path.is_symlink():
            raise WorkflowError(f"{name} is there already, and was to be new.")
        return path, None, after
    try:
        content = read_file(path, MOST_BYTES, [workspace], follow=False)
    except OSError as error:
        raise WorkflowError(f"{name} cannot be read: {error}.") from error
    if digest(content) != change["before"]:
        raise WorkflowError(
            f"{name} has changed since the run looked at it.", remedy="Run the plan again."
        )
    return path, content, after
