"""Questions to git about a repository that is not trusted: which lines changed since a revision.

A repository's own configuration names commands, and git runs them: monitors of the file system,
filters and text conversions by attributes, hooks, pagers, helpers of transports. So git is asked
here alone, and only for what needs none of them: the names and contents that a revision has, out of
its object store (`ls-tree`, `cat-file`). The working tree's files are read by us, and compared with
those contents by a git that is in no repository and has no configuration, under names of ours.
What the user has configured about the form of diffs therefore makes no difference either.

What cannot be read is an error (`GitError`), never an empty answer.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

from coai_agents.git_repository import (
    NOWHERE,
    OPTIONS,
    GitError,
    Repository,
    base_of,
    contents_of,
    object_of,
    run_git,
    top_of,
    tree_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from coai_agents.git_repository import Tree

    Read = Callable[[Path], bytes | None]

MOST_PAIRS: Final = 2_000
"""Pairs of files that are gone and files that are new which are compared to find renamed ones."""

SIMILAR: Final = 0.5
"""The share of lines from which on a new file is one that was renamed, as in git's own `-M`."""

WHOLE: Final = range(1, 1 << 62)
"""All lines of a file."""

_DEPTH: Final = 8
"""Submodules within submodules."""

_FORM: Final = (
    *("--unified=0", "--inter-hunk-context=0", "--text", "--no-color", "--no-renames"),
    *("--no-ext-diff", "--no-textconv", "--src-prefix=a/", "--dst-prefix=b/"),
)
_SECTION: Final = re.compile(rb"^diff --git a/old/(\d+) b/new/\d+$")
_HUNK: Final = re.compile(rb"^@@ -\S+ \+(\d+)(?:,(\d+))? @@")


def changed_lines(
    revision: str, folders: Iterable[Path], files: Iterable[Path], read: Read
) -> dict[Path, list[range]]:
    """Return the lines, from 1, that files have now and did not have at a revision.

    Lines end where LSP says. `folders` are where the files were looked for, each in a repository.
    A file that the revision does not have counts in full, one that has not changed is left out.
    `read` gives a file's bytes, or None if it cannot be read, which counts in full. Raises
    `GitError`.
    """
    if not revision or revision.startswith("-"):
        raise GitError("A revision is not empty, and does not begin with a dash.")
    tops = dict.fromkeys(top_of(folder) for folder in folders)
    left = {file: Path(os.path.realpath(file.parent), file.name) for file in files}
    changed: dict[Path, list[range]] = {}
    for top in sorted(tops, key=lambda each: len(each.parts), reverse=True):
        inside = {file: real for file, real in left.items() if real.is_relative_to(top)}
        left = {file: real for file, real in left.items() if file not in inside}
        names = {file: real.relative_to(top).as_posix() for file, real in inside.items()}
        changed.update(_changed_in(Repository(top), base_of(top, revision), names, read))
    return changed | {file: [WHOLE] for file in left}


def commits_of(folder: Path, most: int) -> list[tuple[str, ...]]:
    """Return the files of a folder's last commits, newest first, relative to it; no merges.

    Only names are asked for, so no driver, filter or signature check of a repository is run.
    Raises `GitError`, also where the folder is in no repository.
    """
    log = ("log", "--no-merges", "--no-show-signature", "--no-ext-diff", "--no-textconv")
    names = ("--no-renames", "--name-only", "--relative", "-z", "--format=%x01", f"-{most}")
    out = Repository(top_of(folder)).ask("-C", str(folder), *log, *names, "--", ".")
    commits = (chunk.split(b"\0") for chunk in out.split(b"\x01")[1:])
    decoded = (tuple(os.fsdecode(name.lstrip(b"\n")) for name in names_) for names_ in commits)
    return [tuple(name for name in names_ if name) for names_ in decoded]


def changed_contents(
    revision: str, folder: Path, files: Iterable[Path], read: Read
) -> dict[str, tuple[bytes | None, bytes | None]]:
    """Return what files below a folder had at a revision and have now, of those that differ.

    The names are relative to the folder. `files` are those that there are now; one that the
    revision has and that is gone from the disk is found too. None stands for no file, and for one
    that is too large. Raises `GitError`.
    """
    if not revision or revision.startswith("-"):
        raise GitError("A revision is not empty, and does not begin with a dash.")
    real = Path(os.path.realpath(folder))
    top = top_of(real)
    repository = Repository(top)
    inside = real.relative_to(top).as_posix()
    prefix = "" if inside == "." else f"{inside}/"
    tree = tree_of(repository, base_of(top, revision)).files
    known = {
        name.removeprefix(prefix): each for name, each in tree.items() if name.startswith(prefix)
    }
    now: dict[str, bytes] = {}
    for file in files:
        place = Path(os.path.realpath(file.parent), file.name)
        content = read(file) if place.is_relative_to(real) else None
        if content is not None:
            now[place.relative_to(real).as_posix()] = content
    wanted = {
        name: known.get(name)
        for name, content in now.items()
        if name not in known or object_of(content, len(known[name])) != known[name]
    }
    wanted |= {name: each for name, each in known.items() if not os.path.lexists(real / name)}
    past = contents_of(repository, {each for each in wanted.values() if each is not None})
    return {
        name: (None if each is None else past[each], now.get(name)) for name, each in wanted.items()
    }


def content_at(revision: str, file: Path) -> bytes | None:
    """Return what a file was at a revision; None if it was not, or is too large.

    Raises `GitError`.
    """
    real = Path(os.path.realpath(file.parent), file.name)
    top = top_of(real.parent)
    repository = Repository(top)
    tree = tree_of(repository, base_of(top, revision)).files
    known = tree.get(real.relative_to(top).as_posix())
    return None if known is None else contents_of(repository, {known})[known]


# --------------------------------------------------------------------- changes


def _changed_in(
    repository: Repository, base: str, names: Mapping[Path, str], read: Read, depth: int = 0
) -> dict[Path, list[range]]:
    """Return what changed in files of a repository, which are given with their names in it."""
    tree = tree_of(repository, base)
    changed: dict[Path, list[range]] = {}
    for name, commit in tree.submodules.items():
        inner = {
            file: each.removeprefix(f"{name}/")
            for file, each in names.items()
            if each.startswith(f"{name}/")
        }
        if inner:
            names = {file: each for file, each in names.items() if file not in inner}
            submodule = Repository(repository.top / name)
            changed.update(_changed_below(submodule, commit, inner, read, depth + 1))
    texts: dict[Path, bytes] = {}
    objects: dict[Path, str] = {}
    new: dict[Path, bytes] = {}
    for file, name in names.items():
        content = read(file)
        known = tree.files.get(name)
        if content is None:
            changed[file] = [WHOLE]
        elif known is None:
            new[file] = content
        elif object_of(content, len(known)) != known:
            texts[file], objects[file] = content, known
    for file, known in _renamed(repository, tree, new).items():
        texts[file], objects[file] = new.pop(file), known
    changed.update({file: [WHOLE] for file in new})
    before = contents_of(repository, set(objects.values()))
    pairs = {file: (before[known], texts[file]) for file, known in objects.items()}
    return changed | _compared(pairs)


def _changed_below(
    submodule: Repository, commit: str, names: Mapping[Path, str], read: Read, depth: int
) -> dict[Path, list[range]]:
    """Return what changed in a submodule; all of it if it does not have its commit."""
    whole = {file: [WHOLE] for file in names}
    if depth > _DEPTH:
        return whole
    try:
        if top_of(submodule.top) != Path(os.path.realpath(submodule.top)):
            return whole
        return _changed_in(submodule, commit, names, read, depth)
    except GitError:
        return whole


def _renamed(repository: Repository, tree: Tree, new: Mapping[Path, bytes]) -> dict[Path, str]:
    """Return what new files were before, for those that are another one with another name."""
    if not new:
        return {}
    gone = {
        name: known
        for name, known in tree.files.items()
        if not os.path.lexists(repository.top / name)
    }
    pairs = [
        (file, known)
        for file in new
        for name, known in gone.items()
        if file.suffix == Path(name).suffix
    ][:MOST_PAIRS]
    before = contents_of(repository, {known for _, known in pairs})
    lines = {known: Counter(_lines(text or b"")) for known, text in before.items()}
    found: dict[Path, tuple[float, str]] = {}
    for file, known in pairs:
        now = Counter(_lines(new[file]))
        most = max(now.total(), lines[known].total())
        share = (now & lines[known]).total() / most
        if share >= SIMILAR and share > found.get(file, (0.0, ""))[0]:
            found[file] = share, known
    return {file: known for file, (_, known) in found.items()}


def _lines(text: bytes) -> list[bytes]:
    """Return lines as LSP counts them, without their ends."""
    return text.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")


def _compared(pairs: Mapping[Path, tuple[bytes | None, bytes]]) -> dict[Path, list[range]]:
    """Return which lines are new, for files with what they had before and have now."""
    changed = {file: [WHOLE] for file, (before, _) in pairs.items() if before is None}
    files = [file for file in pairs if file not in changed]
    if not files:
        return changed
    with tempfile.TemporaryDirectory(prefix="coai-diff-") as name:
        folder = Path(name)
        for number, file in enumerate(files):
            for side, text in zip(("old", "new"), pairs[file], strict=True):
                path = folder / side / str(number)
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(b"\n".join(_lines(text or b"")))
        done = run_git(
            (*OPTIONS, "diff", "--no-index", *_FORM, "--", "old", "new"), b"", NOWHERE, folder
        )
    # It is 1 where there are differences.
    if done.code not in (0, 1) or done.err:
        raise GitError(f"git cannot compare: {done.err.decode('utf-8', 'replace').strip()}.")
    number = -1
    # Only what git says itself begins with neither a sign nor a backslash.
    for line in done.out.split(b"\n"):
        if section := _SECTION.match(line):
            number = int(section[1])
        elif hunk := _HUNK.match(line):
            at, count = int(hunk[1]), int(hunk[2] or 1)
            changed.setdefault(files[number], []).append(range(at, at + count))
    return changed
