"""Which lines changed since a revision, with a real git: names, forms and contents of all kinds."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from coai_agents.git import WHOLE, changed_lines
from coai_agents.git_repository import GitError

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")

OLD = "".join(f"line {number}\n" for number in range(1, 21))
NEW = OLD.replace("line 7\n", "other\nmore\n")
CHANGED = [range(7, 9)]


class Repository:
    """A repository of somebody, whose own configuration is in `home`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments: str) -> str:
        who = ("-c", "user.name=t", "-c", "user.email=t@example.com")
        who += ("-c", "protocol.file.allow=always", "-c", "core.autocrlf=false")
        command = ("git", "-C", str(self.folder), *who, *arguments)
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def write(self, name: str, text: str | bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def commit(self) -> None:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "x")

    def changed(self, revision: str = "HEAD", *more: Path) -> dict[str, list[range]]:
        """Return what changed in all files, by their names."""
        files = [Path(at, name) for at, _, names in os.walk(self.folder) for name in names]
        files = [file for file in files if ".git" not in file.parts]
        found = changed_lines(revision, [self.folder, *more], files, _read)
        return {path.relative_to(self.folder).as_posix(): lines for path, lines in found.items()}


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    return Repository(tmp_path / "repository")


EVERYWHERE = ["plain.py", "\N{LATIN SMALL LETTER U WITH DIAERESIS}.py", "a b.py", "-x.py"]
ON_POSIX = [
    *('"quoted".py', "tab\t.py", "line\nend.py", "back\\slash.py", ":(top)x.py", "b/*.py"),
    *("a => b.py", os.fsdecode(b"\xff.py"), "a\n+++ b/other.py", " space .py "),
]
NAMES = EVERYWHERE + (ON_POSIX if sys.platform != "win32" else [])


@pytest.mark.parametrize("name", NAMES)
def test_a_name_of_any_kind_is_the_files_own(repository: Repository, name: str) -> None:
    repository.write(name, OLD)
    repository.write("same.py", OLD)
    repository.commit()
    assert repository.changed() == {}
    repository.write(name, NEW)
    assert repository.changed() == {name: CHANGED}


SETTINGS = {
    "diff.mnemonicPrefix": "true",
    "diff.noprefix": "true",
    "diff.relative": "true",
    "diff.external": "false",
    "diff.renames": "copies",
    "diff.orderFile": "/nonexistent",
    "diff.algorithm": "patience",
    "diff.context": "9",
    "diff.interHunkContext": "99",
    "diff.ignoreSubmodules": "all",
    "diff.wordRegex": ".",
    "diff.suppressBlankEmpty": "true",
    "color.ui": "always",
    "color.diff": "always",
    "core.quotePath": "true",
    "core.attributesFile": "~/attributes",
    "core.precomposeUnicode": "false",
    "format.pretty": "raw",
    "pager.diff": "false",
    "status.showUntrackedFiles": "no",
}


@pytest.mark.parametrize("where", ["--global", "--local"])
def test_no_setting_changes_what_is_found(repository: Repository, where: str) -> None:
    names = ("a.py", "below/\N{LATIN SMALL LETTER U WITH DIAERESIS}.py")
    for name in names:
        repository.write(name, OLD)
    repository.commit()
    for setting, value in SETTINGS.items():
        repository.git("config", where, setting, value)
    for name in names:
        repository.write(name, NEW)
    repository.write("new.py", NEW)
    assert repository.changed() == {**dict.fromkeys(names, CHANGED), "new.py": [WHOLE]}


@pytest.mark.parametrize("attribute", ["-diff", "binary", "diff=x", "-text", "export-ignore"])
def test_no_attribute_hides_a_change(repository: Repository, attribute: str) -> None:
    repository.write("a.py", OLD)
    repository.commit()
    repository.write(".gitattributes", f"* {attribute}\n")
    repository.write(".git/info/attributes", f"* {attribute}\n")
    repository.write("a.py", NEW)
    assert repository.changed()["a.py"] == CHANGED


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        pytest.param("a\n", "a\nb\n", [range(2, 3)], id="added"),
        pytest.param("a\nb\n", "a\n", [range(1, 1)], id="taken away"),
        pytest.param("", "a\n", [range(1, 2)], id="from nothing"),
        pytest.param("a\nb", "a\nb\n", [range(2, 3)], id="a last end of line"),
        pytest.param("a\nb\n", "a\r\nb\r\n", [], id="other ends of lines"),
        pytest.param("a\rb\rc\r", "a\rX\rc\r", [range(2, 3)], id="ends of lines of old"),
        pytest.param("a\n\0b\n", "a\n\0c\n", [range(2, 3)], id="binary"),
        pytest.param("a\n", "a\n++ b/new/0\n@@ -1 +9 @@\n", [range(2, 4)], id="like a diff"),
        pytest.param("a\n", "diff --git a/old/7 b/new/7\na\n", [range(1, 2)], id="like its head"),
    ],
)
def test_lines_are_counted_as_editors_do(
    repository: Repository, before: str, after: str, lines: list[range]
) -> None:
    repository.write("a.py", before)
    repository.commit()
    repository.write("a.py", after)
    assert repository.changed().get("a.py", []) == lines


def test_new_renamed_and_lost_files(repository: Repository) -> None:
    for name in ("old.py", "moved.py", "gone.py"):
        repository.write(name, f"{name}\n{OLD}")
    repository.commit()
    repository.write("new.py", "nothing like the others\n")
    repository.write("ignored.py", "nor this\n")
    repository.write(".git/info/exclude", "ignored.py\n")
    (repository.folder / "moved.py").rename(repository.folder / "now.py")
    (repository.folder / "old.py").unlink()
    repository.write("edited.py", f"old.py\n{NEW}")
    (repository.folder / "gone.py").unlink()
    assert repository.changed() == {
        "new.py": [WHOLE],
        "ignored.py": [WHOLE],
        "edited.py": [range(8, 10)],
    }
    repository.git("add", "-A")
    # What is staged is no more there than what is not.
    assert "edited.py" in repository.changed()


def test_the_index_is_neither_asked_nor_written(repository: Repository) -> None:
    repository.write("a.py", OLD)
    repository.commit()
    repository.write("a.py", NEW)
    repository.git("update-index", "--assume-unchanged", "a.py")
    index = repository.folder / ".git" / "index"
    index.write_bytes(b"broken")
    assert repository.changed() == {"a.py": CHANGED}
    assert index.read_bytes() == b"broken"


def test_a_submodule_is_compared_with_the_commit_that_was_recorded(
    repository: Repository, tmp_path: Path
) -> None:
    other = Repository(tmp_path / "other")
    other.write("inner.py", OLD)
    other.commit()
    repository.write("a.py", OLD)
    repository.git("submodule", "--quiet", "add", str(other.folder), "sub dir")
    repository.commit()
    assert repository.changed() == {}
    repository.write("sub dir/inner.py", NEW)
    repository.write("sub dir/new.py", NEW)
    assert repository.changed() == {"sub dir/inner.py": CHANGED, "sub dir/new.py": [WHOLE]}
    shutil.rmtree(repository.folder / ".git" / "modules")
    assert repository.changed() == {"sub dir/inner.py": [WHOLE], "sub dir/new.py": [WHOLE]}


def test_several_repositories_and_a_work_tree(repository: Repository, tmp_path: Path) -> None:
    repository.write("a.py", OLD)
    repository.commit()
    repository.git("worktree", "add", "-q", str(tmp_path / "tree"))
    other = Repository(tmp_path / "other")
    other.write("b.py", OLD)
    other.commit()
    files = [tmp_path / "tree" / "a.py", other.write("b.py", NEW), repository.write("a.py", NEW)]
    folders = [tmp_path / "tree", other.folder, repository.folder]
    assert changed_lines("HEAD", folders, files, _read) == {files[1]: CHANGED, files[2]: CHANGED}


def test_revisions_are_what_git_calls_so(repository: Repository) -> None:
    repository.write("a.py", OLD)
    repository.commit()
    repository.git("checkout", "-q", "-b", "feature")
    repository.write("b.py", NEW)
    repository.commit()
    repository.git("checkout", "-q", "main")
    repository.write("c.py", OLD)
    repository.commit()
    repository.git("checkout", "-q", "feature")
    for revision in (
        "main...",
        "main...HEAD",
        "main...feature",
        "main~1",
        "HEAD~1",
        "HEAD~1..HEAD",
    ):
        assert repository.changed(revision) == {"b.py": [WHOLE]}, revision
    assert repository.changed("HEAD^{tree}") == {}


@pytest.mark.parametrize(
    "revision",
    ["", "missing", "--output=x", "-x", "HEAD:a.py", "HEAD..missing", "HEAD..HEAD~1", "a b"],
)
def test_what_is_no_revision_is_an_error(repository: Repository, revision: str) -> None:
    repository.write("a.py", OLD)
    repository.commit()
    repository.write("a.py", NEW)
    repository.commit()
    with pytest.raises(GitError):
        repository.changed(revision)


def test_what_cannot_be_read_is_an_error_or_counts_in_full(
    repository: Repository, tmp_path: Path
) -> None:
    repository.write("a.py", OLD)
    with pytest.raises(GitError):  # there is no commit yet
        repository.changed()
    repository.commit()
    with pytest.raises(GitError, match="not a git repository"):
        repository.changed("HEAD", tmp_path)
    found = changed_lines("HEAD", [repository.folder], [repository.folder / "a.py"], lambda _: None)
    assert found == {repository.folder / "a.py": [WHOLE]}
    repository.write("a.py", NEW)
    name = repository.git("rev-parse", "HEAD:a.py").strip()
    (repository.folder / ".git" / "objects" / name[:2] / name[2:]).unlink()
    with pytest.raises(GitError):
        repository.changed()


def test_variables_of_a_hook_make_no_difference(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.write("a.py", OLD)
    repository.commit()
    repository.write("a.py", NEW)
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", "false")
    monkeypatch.setenv("GIT_DIFF_OPTS", "--unified=9")
    monkeypatch.setenv("GIT_PAGER", "false")
    assert repository.changed() == {"a.py": CHANGED}
