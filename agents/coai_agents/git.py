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

import hashlib
import os
import re
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from coai_routing.errors import CoaiError
from coai_routing.processes import SAFE_DIRECTORY, child_environment, program, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from coai_routing.processes import Ended

    Read = Callable[[Path], bytes | None]

SECONDS: Final = 60.0
"""How long one question may take."""

MOST_BYTES: Final = 5_000_000
"""Of a file at the revision; a larger one is not compared, and counts as changed in full."""

MOST_PAIRS: Final = 2_000
"""Pairs of files that are gone and files that are new which are compared to find renamed ones."""

SIMILAR: Final = 0.5
"""The share of lines from which on a new file is one that was renamed, as in git's own `-M`."""

WHOLE: Final = range(1, 1 << 62)
"""All lines of a file."""

_DEPTH: Final = 8
"""Submodules within submodules."""

_OPTIONS: Final = (
    "--no-pager",
    "--no-optional-locks",
    "--literal-pathspecs",
    *("-c", "safe.bareRepository=explicit"),
    *("-c", "core.fsmonitor=false"),
    *("-c", "core.untrackedCache=false"),
    *("-c", f"core.hooksPath={os.devnull}"),
    *("-c", f"core.attributesFile={os.devnull}"),
    *("-c", "core.pager=cat"),
    *("-c", "core.sshCommand=false"),
    *("-c", "core.askPass="),
    *("-c", "credential.helper="),
    *("-c", "protocol.allow=never"),
)
_VARIABLES: Final = {
    # Unlike `protocol.allow`, this counts for protocols that the repository allows by name.
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}
_KEPT: Final = ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM")
"""Where the user's own configuration is, which says whose repositories are read."""

_NOWHERE: Final = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_DIR": os.devnull,
}
"""For a git that is in no repository."""

_FORM: Final = (
    *("--unified=0", "--inter-hunk-context=0", "--text", "--no-color", "--no-renames"),
    *("--no-ext-diff", "--no-textconv", "--src-prefix=a/", "--dst-prefix=b/"),
)
_ENTRY: Final = re.compile(rb"(\d+) (\w+) ([0-9a-f]+)\t(.+)", re.DOTALL)
_SECTION: Final = re.compile(rb"^diff --git a/old/(\d+) b/new/\d+$")
_HUNK: Final = re.compile(rb"^@@ -\S+ \+(\d+)(?:,(\d+))? @@")


class GitError(CoaiError):
    """What a repository has at a revision cannot be found out."""


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
    tops = dict.fromkeys(_top_of(folder) for folder in folders)
    left = {file: Path(os.path.realpath(file.parent), file.name) for file in files}
    changed: dict[Path, list[range]] = {}
    for top in sorted(tops, key=lambda each: len(each.parts), reverse=True):
        inside = {file: real for file, real in left.items() if real.is_relative_to(top)}
        left = {file: real for file, real in left.items() if file not in inside}
        names = {file: real.relative_to(top).as_posix() for file, real in inside.items()}
        changed.update(_changed_in(_Repository(top), _base(top, revision), names, read))
    return changed | {file: [WHOLE] for file in left}


def commits_of(folder: Path, most: int) -> list[tuple[str, ...]]:
    """Return the files of a folder's last commits, newest first, relative to it; no merges.

    Only names are asked for, so no driver, filter or signature check of a repository is run.
    Raises `GitError`, also where the folder is in no repository.
    """
    log = ("log", "--no-merges", "--no-show-signature", "--no-ext-diff", "--no-textconv")
    names = ("--no-renames", "--name-only", "--relative", "-z", "--format=%x01", f"-{most}")
    out = _Repository(_top_of(folder)).ask("-C", str(folder), *log, *names, "--", ".")
    commits = (chunk.split(b"\0") for chunk in out.split(b"\x01")[1:])
    decoded = (tuple(os.fsdecode(name.lstrip(b"\n")) for name in names_) for names_ in commits)
    return [tuple(name for name in names_ if name) for names_ in decoded]


# ------------------------------------------------------------------ repositories


@dataclass(frozen=True, slots=True)
class _Repository:
    """A working tree, and how it is asked."""

    top: Path

    def ask(self, *arguments: str, given: bytes = b"") -> bytes:
        return _git(("-C", str(self.top), *arguments), given)


def _top_of(folder: Path) -> Path:
    """Return the working tree that a folder is in; raises `GitError`."""
    real = Path(os.path.realpath(folder))
    said = _git(("-C", str(real), "rev-parse", "--show-toplevel"))
    top = Path(os.path.realpath(os.fsdecode(said.removesuffix(b"\n"))))
    # Not where a configuration says that it is, and no repository that lies in another one's tree
    # without being one of its own: what `git clone` makes has a `.git`.
    if not real.is_relative_to(top) or not os.path.lexists(top / ".git"):
        raise GitError(f"{folder} is not in the working tree of its repository.")
    return top


def _base(top: Path, revision: str) -> str:
    """Return the commit or tree that is compared with; raises `GitError`.

    As in git's own diff, `A...` means where A and now parted, and `A..` means A.
    """
    first, dots, second = revision.partition("...")
    if not dots:
        first, dots, second = revision.partition("..")
    repository = _Repository(top)

    def named(name: str) -> str:
        form = f"{name or 'HEAD'}^{{{'commit' if dots else 'tree'}}}"
        found = repository.ask("rev-parse", "--verify", "--end-of-options", form)
        return found.decode().strip()

    if not dots:
        return named(revision)
    if second and named(second) != named("HEAD"):
        raise GitError(
            f"{second} is not what is checked out.", remedy="Name one revision, or end with dots."
        )
    if dots == "..":
        return named(first)
    return repository.ask("merge-base", named(first), named("HEAD")).decode().strip()


# --------------------------------------------------------------------- changes


@dataclass(frozen=True, slots=True)
class _Tree:
    """What a revision has: the object of each file, and the commit of each submodule, by name."""

    files: Mapping[str, str] = field(default_factory=dict[str, str])
    submodules: Mapping[str, str] = field(default_factory=dict[str, str])


def _tree(repository: _Repository, base: str) -> _Tree:
    files, submodules = dict[str, str](), dict[str, str]()
    for entry in repository.ask("ls-tree", "-r", "-z", "--full-tree", base).split(b"\0"):
        if not entry:
            continue
        read = _ENTRY.fullmatch(entry)
        if read is None:
            raise GitError("What git says of the revision cannot be read.")
        kind, name = read[2], os.fsdecode(read[4])
        (submodules if kind == b"commit" else files)[name] = read[3].decode()
    return _Tree(files, submodules)


def _changed_in(
    repository: _Repository, base: str, names: Mapping[Path, str], read: Read, depth: int = 0
) -> dict[Path, list[range]]:
    """Return what changed in files of a repository, which are given with their names in it."""
    tree = _tree(repository, base)
    changed: dict[Path, list[range]] = {}
    for name, commit in tree.submodules.items():
        inner = {
            file: each.removeprefix(f"{name}/")
            for file, each in names.items()
            if each.startswith(f"{name}/")
        }
        if inner:
            names = {file: each for file, each in names.items() if file not in inner}
            submodule = _Repository(repository.top / name)
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
        elif _object_of(content, len(known)) != known:
            texts[file], objects[file] = content, known
    for file, known in _renamed(repository, tree, new).items():
        texts[file], objects[file] = new.pop(file), known
    changed.update({file: [WHOLE] for file in new})
    before = _contents(repository, set(objects.values()))
    pairs = {file: (before[known], texts[file]) for file, known in objects.items()}
    return changed | _compared(pairs)


def _changed_below(
    submodule: _Repository, commit: str, names: Mapping[Path, str], read: Read, depth: int
) -> dict[Path, list[range]]:
    """Return what changed in a submodule; all of it if it does not have its commit."""
    whole = {file: [WHOLE] for file in names}
    if depth > _DEPTH:
        return whole
    try:
        if _top_of(submodule.top) != Path(os.path.realpath(submodule.top)):
            return whole
        return _changed_in(submodule, commit, names, read, depth)
    except GitError:
        return whole


def _object_of(content: bytes, digits: int) -> str:
    """Return the name that git has for a content: by SHA-1, or SHA-256 if names are that long."""
    text = b"blob %d\0%b" % (len(content), content)
    if digits == hashlib.sha256().digest_size * 2:
        return hashlib.sha256(text).hexdigest()
    return hashlib.sha1(text, usedforsecurity=False).hexdigest()


def _contents(repository: _Repository, objects: set[str]) -> dict[str, bytes | None]:
    """Return the contents of objects, None for those that are too large; raises `GitError`."""
    asked = "".join(f"{each}\n" for each in sorted(objects)).encode()
    if not asked:
        return {}
    sizes: dict[str, int] = {}
    for line in repository.ask("cat-file", "--batch-check", given=asked).splitlines():
        words = line.split()
        if len(words) != 3 or words[1] != b"blob":  # noqa: PLR2004 - name, type, size
            raise GitError(
                "The repository lacks contents of the revision.", remedy="Fetch them with git."
            )
        sizes[words[0].decode()] = int(words[2])
    contents: dict[str, bytes | None] = dict.fromkeys(sizes)
    small = [each for each, size in sizes.items() if size <= MOST_BYTES]
    answer = repository.ask("cat-file", "--batch", given="".join(f"{e}\n" for e in small).encode())
    at = 0
    for each in small:
        at = answer.index(b"\n", at) + 1
        contents[each] = answer[at : at + sizes[each]]
        at += sizes[each] + 1
    return contents


def _renamed(repository: _Repository, tree: _Tree, new: Mapping[Path, bytes]) -> dict[Path, str]:
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
    before = _contents(repository, {known for _, known in pairs})
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
        done = _run(
            (*_OPTIONS, "diff", "--no-index", *_FORM, "--", "old", "new"), b"", _NOWHERE, folder
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


# ------------------------------------------------------------------------ asking


def _git(arguments: Sequence[str], given: bytes = b"") -> bytes:
    """Return what git answers about a repository; raises `GitError`."""
    done = _run((*_OPTIONS, *arguments), given, {})
    if done.code:
        said = done.err.decode("utf-8", "replace").strip() or f"exit code {done.code}"
        raise GitError(f"git: {said}.", remedy="Check the revision and the repository.")
    return done.out


def _run(
    arguments: Sequence[str],
    given: bytes,
    more: Mapping[str, str],
    directory: Path = SAFE_DIRECTORY,
) -> Ended:
    git = program("git")
    if git is None:
        raise GitError("git is not there.", remedy="Install it, or leave --diff out.")
    environment = {
        name: value
        for name, value in child_environment().items()
        if not name.upper().startswith("GIT_") or name in _KEPT
    }
    try:
        return run(
            (git, *arguments),
            given=given,
            environment={**environment, **_VARIABLES, **more},
            directory=directory,
            seconds=SECONDS,
        )
    except OSError as error:
        raise GitError(f"git cannot be asked: {error}.") from error
