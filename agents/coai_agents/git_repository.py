"""Asking git about a repository that is not trusted, without anything that its configuration names.

Only this module starts git. See `git.py` for what is asked for and why it is asked in this way.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from coai_routing.errors import CoaiError
from coai_routing.processes import SAFE_DIRECTORY, child_environment, program, run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from coai_routing.processes import Ended

SECONDS: Final = 60.0
"""How long one question may take."""

MOST_BYTES: Final = 5_000_000
"""Of a file at the revision; a larger one is not compared, and counts as changed in full."""

OPTIONS: Final = (
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

NOWHERE: Final = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_DIR": os.devnull,
}
"""For a git that is in no repository."""

_ENTRY: Final = re.compile(rb"(\d+) (\w+) ([0-9a-f]+)\t(.+)", re.DOTALL)


class GitError(CoaiError):
    """What a repository has at a revision cannot be found out."""


# ------------------------------------------------------------------ repositories


@dataclass(frozen=True, slots=True)
class Repository:
    """A working tree, and how it is asked."""

    top: Path

    def ask(self, *arguments: str, given: bytes = b"") -> bytes:
        """Return what git answers about it; raises `GitError`."""
        return _git(("-C", str(self.top), *arguments), given)


def top_of(folder: Path) -> Path:
    """Return the working tree that a folder is in; raises `GitError`."""
    real = Path(os.path.realpath(folder))
    said = _git(("-C", str(real), "rev-parse", "--show-toplevel"))
    top = Path(os.path.realpath(os.fsdecode(said.removesuffix(b"\n"))))
    # Not where a configuration says that it is, and no repository that lies in another one's tree
    # without being one of its own: what `git clone` makes has a `.git`.
    if not real.is_relative_to(top) or not os.path.lexists(top / ".git"):
        raise GitError(f"{folder} is not in the working tree of its repository.")
    return top


def base_of(top: Path, revision: str) -> str:
    """Return the commit or tree that is compared with; raises `GitError`.

    As in git's own diff, `A...` means where A and now parted, and `A..` means A.
    """
    first, dots, second = revision.partition("...")
    if not dots:
        first, dots, second = revision.partition("..")
    repository = Repository(top)

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


@dataclass(frozen=True, slots=True)
class Tree:
    """What a revision has: the object of each file, and the commit of each submodule, by name."""

    files: Mapping[str, str] = field(default_factory=dict[str, str])
    submodules: Mapping[str, str] = field(default_factory=dict[str, str])


def tree_of(repository: Repository, base: str) -> Tree:
    """Return what a commit or tree has; raises `GitError`."""
    files, submodules = dict[str, str](), dict[str, str]()
    for entry in repository.ask("ls-tree", "-r", "-z", "--full-tree", base).split(b"\0"):
        if not entry:
            continue
        read = _ENTRY.fullmatch(entry)
        if read is None:
            raise GitError("What git says of the revision cannot be read.")
        kind, name = read[2], os.fsdecode(read[4])
        (submodules if kind == b"commit" else files)[name] = read[3].decode()
    return Tree(files, submodules)


def object_of(content: bytes, digits: int) -> str:
    """Return the name that git has for a content: by SHA-1, or SHA-256 if names are that long."""
    text = b"blob %d\0%b" % (len(content), content)
    if digits == hashlib.sha256().digest_size * 2:
        return hashlib.sha256(text).hexdigest()
    return hashlib.sha1(text, usedforsecurity=False).hexdigest()


def contents_of(repository: Repository, objects: set[str]) -> dict[str, bytes | None]:
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


# ------------------------------------------------------------------------ asking


def _git(arguments: Sequence[str], given: bytes = b"") -> bytes:
    """Return what git answers about a repository; raises `GitError`."""
    done = run_git((*OPTIONS, *arguments), given, {})
    if done.code:
        said = done.err.decode("utf-8", "replace").strip() or f"exit code {done.code}"
        raise GitError(f"git: {said.rstrip('.')}.", remedy=_remedy(said))
    return done.out


def _remedy(said: str) -> str:
    if "not a git repository" in said:
        return "Work in a git repository."
    return "Check the revision and the repository."


def run_git(
    arguments: Sequence[str],
    given: bytes,
    more: Mapping[str, str],
    directory: Path = SAFE_DIRECTORY,
) -> Ended:
    """Run git to its end, with nothing of the environment that is about git but `more`.

    Raises `GitError` if it is not there or takes too long.
    """
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
