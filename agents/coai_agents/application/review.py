"""Reviews: a path and a revision in, or a diff's text; comments that rest on something out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from coai_agents.analysis.run.gathering import files_in
from coai_agents.git import changed_contents
from coai_agents.git_repository import GitError
from coai_agents.source import normal_language
from coai_agents.specialists.refactoring.shapes import family
from coai_agents.specialists.reviewing.diffs import MOST_BYTES, MOST_FILES, Diff, between, read_diff
from coai_routing.workspace_files import read_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coai_agents.specialists.answers import Report
    from coai_agents.specialists.asking import Asker
    from coai_agents.specialists.reviewing.agent import Review
    from coai_agents.specialists.reviewing.comments import Comment

MOST_OTHERS: Final = 2_000
"""Files in which callers are looked for beside those of the diff."""


def root_of(path: Path) -> Path:
    """Return the folder that a diff's names are relative to, with links followed."""
    whole = Path(os.path.realpath(path))
    return whole if whole.is_dir() else whole.parent


def changed_since(path: Path, revision: str) -> Diff:
    """Return what changed below a path since a revision; raises `GitError`."""
    if not path.exists():
        raise GitError(f"{path} is not there.")
    root = root_of(path)
    files = files_in([root])
    try:
        found = changed_contents(revision, root, files, lambda file: _content(file, root))
    except GitError as error:
        if "not a git repository" not in error.message:
            raise
        remedy = "Work in one, or pipe a diff: `diff -u OLD NEW | coai review -`."
        raise GitError(error.message, remedy=remedy) from error
    only = None if path.is_dir() else path.name
    changed = {name: sides for name, sides in found.items() if only is None or name == only}
    notes: list[str] = []
    if len(changed) > MOST_FILES:
        notes.append(f"Only the first {MOST_FILES} of {len(changed)} changed files were looked at.")
    named = dict(sorted(changed.items())[:MOST_FILES])
    kept = [between(name, _text(old), _text(new)) for name, (old, new) in named.items()]
    return Diff(
        tuple(each for each in kept if each.added or each.removed),
        tuple(notes),
        _others(files, root, set(changed)),
    )


def written(text: str, root: Path) -> Diff:
    """Return a diff that somebody wrote, with a folder's files where they fit it."""
    if not text.strip():
        return Diff(())
    diff = read_diff(text, lambda name: _text(_content(root / name, root)))
    others = _others(files_in([root]), root, {each.path for each in diff.files})
    return Diff(diff.files, diff.notes, others)


def _content(file: Path, root: Path) -> bytes | None:
    try:
        return read_file(file, MOST_BYTES, [root])
    except OSError:
        return None


def _text(content: bytes | None) -> str | None:
    """Return a text; None for what is none."""
    if content is None or b"\0" in content[:8_000]:
        return None
    return content.decode("utf-8", "replace").removeprefix("\ufeff")


def _others(files: Sequence[Path], root: Path, changed: set[str]) -> dict[str, str]:
    others: dict[str, str] = {}
    for file in files:
        name = os.path.relpath(file, root).replace(os.sep, "/")
        if name in changed or not family(normal_language("", file)):
            continue
        text = _text(_content(file, root))
        if text is not None:
            others[name] = text
        if len(others) >= MOST_OTHERS:
            break
    return others


async def review(diff: Diff, asker: Asker | None) -> Review:
    """Return the comments on a change that rest on something; without an asker on facts alone."""
    from coai_agents.specialists.reviewing import agent  # noqa: PLC0415 - whoever reads diffs needs none

    return agent.facts(diff) if asker is None else await agent.review(diff, asker)


def unsaid(found: Review, root: Path) -> tuple[list[Comment], list[str]]:
    """Return the comments that were not made of a folder before, with notes, and remember them."""
    from coai_agents.specialists.reviewing.seen import Seen, SeenError, location  # noqa: PLC0415 - as above

    comments, notes = list(found.comments), list(found.notes)
    if not comments:
        return comments, notes
    seen = Seen(location(), root)
    try:
        fresh = seen.fresh(comments)
        seen.keep(fresh)
    except SeenError as error:
        # A comment twice is better than none.
        return comments, [*notes, str(error)]
    if before := len(comments) - len(fresh):
        notes.append(f"{before} comments were made before; --again shows them.")
    return fresh, notes


def report(comments: Sequence[Comment], notes: Sequence[str] = ()) -> Report:
    """Return comments as a report, for people."""
    from coai_agents.specialists.reviewing.comments import report_of  # noqa: PLC0415 - as above

    return report_of(comments, notes)


def as_sarif(comments: Sequence[Comment], notes: Sequence[str]) -> dict[str, Any]:
    """Return comments in SARIF 2.1.0."""
    from coai_agents.specialists.reviewing import forms  # noqa: PLC0415 - as above

    return forms.sarif(comments, notes)


def as_github(comments: Sequence[Comment], notes: Sequence[str]) -> dict[str, Any]:
    """Return comments as the payload of a review on GitHub."""
    from coai_agents.specialists.reviewing import forms  # noqa: PLC0415 - as above

    return forms.github(comments, notes)
