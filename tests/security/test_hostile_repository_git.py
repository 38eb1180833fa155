"""The attacker is a repository: git runs nothing of what its configuration and attributes name."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.security.hostile import COAI, HostileRepository

if TYPE_CHECKING:
    from pathlib import Path

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


def _git(folder: Path, *arguments: str) -> None:
    who = (
        "-c",
        "user.name=t",
        "-c",
        "user.email=t@example.com",
        "-c",
        "protocol.file.allow=always",
    )
    subprocess.run(("git", "-C", str(folder), *who, *arguments), check=True, capture_output=True)


def _commit(hostile: HostileRepository) -> None:
    """Make a repository with one file that is to change."""
    _git(hostile.folder, "init", "-q", "-b", "main")
    hostile.write("f.py", "x = 1\n")
    _git(hostile.folder, "add", ".")
    _git(hostile.folder, "commit", "-q", "-m", "first")
    hostile.write("f.py")


CONFIGURED = {
    "a monitor of the file system": ({"core.fsmonitor": "{}"}, ""),
    "a text conversion": ({"diff.x.textconv": "{}"}, "*.py diff=x\n"),
    "a command for a kind of file": ({"diff.x.command": "{}"}, "*.py diff=x\n"),
    "a command for all diffs": ({"diff.external": "{}"}, ""),
    "a filter": ({"filter.x.clean": "{}", "filter.x.smudge": "{}"}, "*.py filter=x\n"),
    "a filter's process": ({"filter.x.process": "{}", "filter.x.required": "true"}, "* filter=x\n"),
    "a pager": ({"core.pager": "{}", "pager.diff": "{}", "pager.ls-tree": "{}"}, ""),
    "an alias": ({"alias.ls-tree": "!{}", "alias.cat-file": "!{}", "alias.rev-parse": "!{}"}, ""),
    "hooks": ({"core.hooksPath": "hooks"}, ""),
    "a helper of credentials": ({"credential.helper": "!{}", "core.askPass": "{}"}, ""),
    "a way to a remote": ({"core.sshCommand": "{}", "core.gitProxy": "{}"}, ""),
    "an included configuration": ({"includeIf.gitdir:**.path": "../included"}, ""),
    "an editor": ({"core.editor": "{}", "sequence.editor": "{}", "gpg.program": "{}"}, ""),
}


@needs_git
@pytest.mark.parametrize("kind", CONFIGURED)
def test_nothing_that_a_repository_configures_is_run(hostile: HostileRepository, kind: str) -> None:
    _commit(hostile)
    settings, attributes = CONFIGURED[kind]
    for hook in ("post-index-change", "reference-transaction", "post-checkout"):
        hostile.program(f"hooks/{hook}")
    hostile.write("included", f"[core]\n\tfsmonitor = {hostile.program('monitor')}\n")
    for name, value in settings.items():
        _git(hostile.folder, "config", name, value.format(hostile.command("configured")))
    if attributes:
        hostile.write(".gitattributes", attributes)
    ran = hostile.coai("audit", "--diff", "HEAD", "--no-cache", "f.py")
    assert hostile.sprung == set()
    assert "f.py:5:1 error command-injection" in ran.out
    assert ran.code == 1


@needs_git
def test_a_bare_repository_within_a_clone_is_not_believed(hostile: HostileRepository) -> None:
    _commit(hostile)
    bare = hostile.folder / "docs"
    hostile.write("docs/HEAD", "ref: refs/heads/main\n")
    hostile.write("docs/objects/keep", "")
    hostile.write("docs/refs/heads/keep", "")
    trap = hostile.command("monitor").replace('"', '\\"')
    hostile.write("docs/config", f'[core]\nworktree = ..\nbare = false\nfsmonitor = "{trap}"\n')
    hostile.write("docs/f.py")
    done = subprocess.run(
        (str(COAI), "audit", "--diff", "HEAD", "."),
        cwd=bare,
        env=hostile.environment(),
        capture_output=True,
        check=False,
    )
    assert hostile.sprung == set()
    assert done.returncode == 2
    assert b"nothing found" not in done.stdout


@needs_git
def test_contents_that_are_missing_are_not_fetched(hostile: HostileRepository) -> None:
    _commit(hostile)
    trap = hostile.program("upload-pack")
    for name, value in {
        "extensions.partialClone": "origin",
        "core.repositoryFormatVersion": "1",
        "remote.origin.url": f"ext::sh -c '{trap}'",
        "remote.origin.uploadpack": str(trap),
        "remote.origin.promisor": "true",
        "protocol.ext.allow": "always",
        "protocol.allow": "always",
    }.items():
        _git(hostile.folder, "config", name, value)
    objects = hostile.folder / ".git" / "objects"
    blob = subprocess.check_output(("git", "-C", str(hostile.folder), "rev-parse", "HEAD:f.py"))
    name = blob.decode().strip()
    (objects / name[:2] / name[2:]).unlink()
    ran = hostile.coai("audit", "--diff", "HEAD", ".")
    assert hostile.sprung == set()
    assert ran.code == 2


@needs_git
def test_a_working_tree_that_is_configured_elsewhere_is_an_error(
    hostile: HostileRepository,
) -> None:
    _commit(hostile)
    (hostile.home / "f.py").write_text("secret = 1\n")
    _git(hostile.folder, "config", "core.worktree", str(hostile.home))
    ran = hostile.coai("audit", "--diff", "HEAD", ".")
    assert (ran.code, ran.out) == (2, "")
    assert "not in the working tree" in ran.err
