"""Exclusions: what must not be read or completed in is refused, however it is reached."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from coai_agents.exclusions.decisions import (
    DEEPEST,
    MOST_DECISIONS,
    ExclusionRules,
    Exclusions,
    Ground,
    Refusal,
    Use,
    path_to_judge,
)
from coai_agents.exclusions.folder import MOST_BYTES
from tests.support.settings import settings_of

posix_only = pytest.mark.skipif(os.name == "nt", reason="needs links, pipes and file modes")


class Workspace:
    """A folder on disk, and exclusions that know it."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.rules = ExclusionRules()
        self.exclusions = Exclusions(lambda _: self.rules, roots=[top], ignore_case=False)

    def write(self, name: str, text: str = "") -> Path:
        path = self.top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def ground(self, name: str, for_: Use = "completion") -> Ground | None:
        refusal = self.exclusions.refusal(self.top / name, for_)
        return None if refusal is None else refusal.reason


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    top = tmp_path / "home" / "project"
    top.mkdir(parents=True)
    return Workspace(top)


# ---------------------------------------------------------------------------------- what excludes


@pytest.mark.parametrize("for_", ["completion", "context"])
@pytest.mark.parametrize("name", [".env", "deep/er/.env.local", "id_rsa", ".ssh/config", "a.PEM"])
def test_files_of_secrets_are_refused_whatever_the_settings_say(
    workspace: Workspace, name: str, for_: Use
) -> None:
    workspace.rules = ExclusionRules(("!*",), ("!*",), gitignored_context=True)
    workspace.write(".coaiignore", "!*")
    assert workspace.ground(name, for_) is Ground.SECRET_FILE


@pytest.mark.parametrize("name", ["main.py", ".env.example", "src/env.py"])
def test_other_files_are_not(workspace: Workspace, name: str) -> None:
    assert workspace.ground(name) is None
    assert workspace.ground(name, "context") is None


@pytest.mark.parametrize("for_", ["completion", "context"])
def test_coaiignore_holds_below_its_directory_and_the_deeper_one_goes_first(
    workspace: Workspace, for_: Use
) -> None:
    workspace.write(".coaiignore", "*.sql\nlegal/\n")
    workspace.write("db/.coaiignore", "!open.sql\n/local\n")
    grounds = {
        name: workspace.ground(name, for_)
        for name in ("a.sql", "db/x.sql", "db/open.sql", "db/local", "local", "legal/x/y.py")
    }
    assert grounds == {
        "a.sql": Ground.COAIIGNORE,
        "db/x.sql": Ground.COAIIGNORE,
        "db/open.sql": None,
        "db/local": Ground.COAIIGNORE,
        "local": None,
        "legal/x/y.py": Ground.COAIIGNORE,
    }


def test_a_refusal_names_the_pattern_and_the_file_that_has_it(workspace: Workspace) -> None:
    ignore_file = workspace.write("a/.coaiignore", "*.py\n")
    refusal = workspace.exclusions.refusal(workspace.top / "a" / "b" / "x.py", "completion")
    expected = Refusal(Ground.COAIIGNORE, "*.py", str(ignore_file))
    assert refusal == expected
    assert expected.sentence == f"It matches `*.py` in {ignore_file}."


def test_the_user_s_coaiignore_above_the_workspace_cannot_be_taken_back(
    workspace: Workspace,
) -> None:
    (workspace.top.parent / ".coaiignore").write_text("*.sql\n", encoding="utf-8")
    workspace.write(".coaiignore", "!*.sql\n")
    assert workspace.ground("a.sql") is Ground.COAIIGNORE
    assert workspace.ground("a.py") is None


@pytest.mark.parametrize(
    ("rules", "name", "completion", "context"),
    [
        (ExclusionRules(completion=("gen/",)), "gen/x.py", Ground.SETTING, None),
        (ExclusionRules(privacy=("gen/",)), "gen/x.py", Ground.SETTING, Ground.SETTING),
        (ExclusionRules(privacy=("/x.py",)), "gen/x.py", None, None),
        (ExclusionRules(privacy=("*.py", "!x.py")), "gen/x.py", None, None),
        (ExclusionRules(("x.py",), ("!x.py",)), "x.py", Ground.SETTING, None),
    ],
)
def test_settings_are_relative_to_the_workspace_folder(
    workspace: Workspace,
    rules: ExclusionRules,
    name: str,
    completion: Ground | None,
    context: Ground | None,
) -> None:
    workspace.rules = rules
    assert workspace.ground(name) is completion
    assert workspace.ground(name, "context") is context


def test_changed_settings_hold_at_once(workspace: Workspace) -> None:
    assert workspace.ground("x.py") is None
    workspace.rules = ExclusionRules(privacy=("x.py",))
    assert workspace.exclusions.known_refusal(workspace.top / "x.py", "completion") is not None
    assert workspace.ground("x.py") is Ground.SETTING
    workspace.rules = ExclusionRules()
    assert workspace.ground("x.py") is None


def test_rules_are_taken_from_settings() -> None:
    settings = settings_of(
        {
            "completion": {"exclude": ["a"], "gitignored_context": True},
            "privacy": {"exclude": ["b"]},
        }
    )
    assert ExclusionRules.of(settings) == ExclusionRules(("a",), ("b",), gitignored_context=True)


# -------------------------------------------------------------------------------------------- git


def test_what_git_ignores_may_be_completed_in_but_feeds_no_prompt(workspace: Workspace) -> None:
    workspace.write(".gitignore", "build/\n*.log\n")
    workspace.write("a/.gitignore", "!keep.log\n")
    assert workspace.ground("build/x.py") is None
    assert workspace.ground("build/x.py", "context") is Ground.GITIGNORE
    assert workspace.ground("a/x.log", "context") is Ground.GITIGNORE
    assert workspace.ground("a/keep.log", "context") is None
    workspace.rules = ExclusionRules(gitignored_context=True)
    assert workspace.ground("build/x.py", "context") is None


def test_the_repository_may_begin_above_the_workspace_or_below(workspace: Workspace) -> None:
    repository = workspace.top.parent
    (repository / ".git" / "info").mkdir(parents=True)
    (repository / ".git" / "HEAD").write_text("ref: refs/heads/main\n", encoding="utf-8")
    (repository / ".git" / "info" / "exclude").write_text("*.tmp\n*.txt\n", encoding="utf-8")
    (repository / ".gitignore").write_text("/project/out\n!*.txt\n", encoding="utf-8")
    workspace.write("inner/.git", "gitdir: elsewhere\n")
    assert workspace.ground("out", "context") is Ground.GITIGNORE
    assert workspace.ground("x.tmp", "context") is Ground.GITIGNORE
    assert workspace.ground("x.txt", "context") is None
    assert workspace.ground("inner/x.tmp", "context") is None


def test_a_directory_that_only_looks_like_a_repository_hides_nothing(workspace: Workspace) -> None:
    workspace.write(".gitignore", "*.tmp\n")
    (workspace.top / "inner" / ".git").mkdir(parents=True)
    assert workspace.ground("inner/x.tmp", "context") is Ground.GITIGNORE


def test_git_s_own_files_feed_no_prompt(workspace: Workspace) -> None:
    assert workspace.ground(".git/config", "context") is Ground.GITIGNORE
    assert workspace.ground(".git/COMMIT_EDITMSG") is None


# -------------------------------------------------------------------------------- outside, links


def test_files_outside_of_the_workspace_feed_no_prompt(workspace: Workspace) -> None:
    outside = workspace.top.parent / "other" / "x.py"
    refusal = workspace.exclusions.refusal(outside, "context")
    assert refusal is not None
    assert refusal.reason is Ground.OUTSIDE
    assert refusal.sentence == "It is outside of the workspace's folders."
    assert workspace.exclusions.refusal(outside, "completion") is None


def test_outside_of_the_workspace_patterns_of_settings_speak_of_names(workspace: Workspace) -> None:
    workspace.rules = ExclusionRules(privacy=("home/", "*.sql"))
    outside = workspace.top.parent
    assert workspace.exclusions.refusal(outside / "x.py", "completion") is None
    refusal = workspace.exclusions.refusal(outside / "x.sql", "completion")
    assert refusal == Refusal(Ground.SETTING, "*.sql", "privacy.exclude")


def test_dots_lead_out_of_nothing(workspace: Workspace) -> None:
    workspace.write(".coaiignore", "secret/\n")
    assert workspace.ground("open/../secret/x.py") is Ground.COAIIGNORE
    assert workspace.ground("open/../../x.py", "context") is Ground.OUTSIDE


@posix_only
def test_a_link_is_judged_by_itself_and_by_what_it_points_to(workspace: Workspace) -> None:
    workspace.write(".coaiignore", "hidden/\nlink.py\n")
    target = workspace.write("hidden/x.py")
    harmless = workspace.write("open.py")
    outside = workspace.top.parent / "outside.py"
    outside.write_text("", encoding="utf-8")
    for name, to in {
        "to_hidden.py": target,
        "link.py": harmless,
        "to_outside.py": outside,
        "to_env.py": workspace.write(".env"),
        "fine.py": harmless,
    }.items():
        (workspace.top / name).symlink_to(to)
    (workspace.top / "folder").symlink_to(target.parent, target_is_directory=True)
    grounds = {
        name: workspace.ground(name, "context")
        for name in (
            "to_hidden.py",
            "link.py",
            "to_outside.py",
            "to_env.py",
            "fine.py",
            "folder/x.py",
        )
    }
    assert grounds == {
        "to_hidden.py": Ground.COAIIGNORE,
        "link.py": Ground.COAIIGNORE,
        "to_outside.py": Ground.OUTSIDE,
        "to_env.py": Ground.SECRET_FILE,
        "fine.py": None,
        "folder/x.py": Ground.COAIIGNORE,
    }


@posix_only
def test_a_workspace_folder_may_itself_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / ".coaiignore").write_text("x.py\n", encoding="utf-8")
    (tmp_path / "link").symlink_to(tmp_path / "real", target_is_directory=True)
    exclusions = Exclusions(lambda _: ExclusionRules(), roots=[tmp_path / "link"])
    assert exclusions.refusal(tmp_path / "link" / "y.py", "context") is None
    refusal = exclusions.refusal(tmp_path / "link" / "x.py", "context")
    assert refusal is not None
    assert refusal.reason is Ground.COAIIGNORE


def test_of_nested_workspace_folders_the_inner_one_counts(workspace: Workspace) -> None:
    inner = workspace.top / "inner"
    asked: list[Path | None] = []

    def rules(root: Path | None) -> ExclusionRules:
        asked.append(root)
        return ExclusionRules(privacy=("/x.py",)) if root == inner else ExclusionRules()

    exclusions = Exclusions(rules, roots=[workspace.top])
    assert exclusions.refusal(inner / "x.py", "completion") is None
    exclusions.set_roots([workspace.top, inner])
    assert exclusions.roots == (workspace.top, inner)
    assert exclusions.refusal(inner / "x.py", "completion") is not None
    assert exclusions.refusal(workspace.top / "x.py", "completion") is None
    assert set(asked) == {workspace.top, inner}


# ----------------------------------------------------------------------- files that cannot be read


@posix_only
@pytest.mark.parametrize("kind", ["folder", "pipe", "long"])
def test_an_ignore_file_that_cannot_be_read_excludes_all_that_it_may_speak_of(
    workspace: Workspace, kind: str
) -> None:
    path = workspace.top / "a" / ".coaiignore"
    path.parent.mkdir()
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.write_text("x\n" * MOST_BYTES, encoding="utf-8")
    refusal = workspace.exclusions.refusal(workspace.top / "a" / "x.py", "completion")
    expected = Refusal(Ground.UNREADABLE, file=str(path))
    assert refusal == expected
    assert expected.sentence == f"{path} cannot be read."
    assert workspace.ground("x.py") is None


@posix_only
@pytest.mark.skipif(sys.platform != "win32" and os.geteuid() == 0, reason="root may read anything")
def test_an_ignore_file_without_permission_excludes_too(workspace: Workspace) -> None:
    workspace.write(".coaiignore").chmod(0)
    assert workspace.ground("x.py") is Ground.UNREADABLE


def test_a_gitignore_that_cannot_be_read_matters_to_prompts_only(workspace: Workspace) -> None:
    (workspace.top / ".gitignore").mkdir()
    assert workspace.ground("x.py") is None
    assert workspace.ground("x.py", "context") is Ground.UNREADABLE


def test_an_ignore_file_may_hold_any_bytes(workspace: Workspace) -> None:
    (workspace.top / ".coaiignore").write_bytes(b"\xff\xfe\x00*.py\n\x80\nx.sql\n")
    assert workspace.ground("x.sql") is Ground.COAIIGNORE
    assert workspace.ground("x.py") is None


def test_what_lies_too_deep_is_refused(workspace: Workspace) -> None:
    assert workspace.ground("/".join("a" * DEEPEST)) is Ground.UNREADABLE


# ----------------------------------------------------------------------------- what is remembered


def test_a_known_file_is_not_looked_at_again(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace.write(".coaiignore", "x.py\n")
    assert workspace.ground("x.py") is Ground.COAIIGNORE
    monkeypatch.setattr(Path, "stat", _no_disk)
    monkeypatch.setattr(os.path, "realpath", _no_disk)
    assert workspace.ground("x.py") is Ground.COAIIGNORE
    assert workspace.exclusions.known_refusal(workspace.top / "y.py", "context") == Refusal(
        Ground.NOT_JUDGED
    )
    assert Refusal(Ground.NOT_JUDGED).sentence == "It has not been looked at yet."


def _no_disk(*_: object, **__: object) -> object:
    raise AssertionError("the disk was asked")


def test_a_new_coaiignore_holds_for_directories_not_seen_before(workspace: Workspace) -> None:
    assert workspace.ground("x.py") is None
    workspace.write("new/.coaiignore", "*.py\n")
    assert workspace.ground("new/x.py") is Ground.COAIIGNORE


def test_a_changed_ignore_file_holds_once_it_is_told_of(workspace: Workspace) -> None:
    assert workspace.ground("a/x.py") is None
    path = workspace.write(".coaiignore", "a/\n")
    workspace.exclusions.forget(path)
    assert workspace.ground("a/x.py") is Ground.COAIIGNORE
    path.unlink()
    workspace.exclusions.forget(path)
    assert workspace.ground("a/x.py") is None


@posix_only
def test_a_link_that_points_elsewhere_now_is_judged_again(workspace: Workspace) -> None:
    workspace.write(".coaiignore", "hidden/\n")
    link = workspace.top / "x.py"
    link.symlink_to(workspace.write("open.py"))
    assert workspace.ground("x.py") is None
    link.unlink()
    link.symlink_to(workspace.write("hidden/x.py"))
    workspace.exclusions.forget(link)
    assert workspace.ground("x.py") is Ground.COAIIGNORE


async def test_refreshing_reads_everything_again_and_knows_the_answers(
    workspace: Workspace,
) -> None:
    assert workspace.ground("a/x.py") is None
    assert workspace.ground("b/x.py", "context") is None
    workspace.write("a/.coaiignore", "x.py\n")
    workspace.write(".gitignore", "b\n")
    assert workspace.ground("a/x.py") is None
    await workspace.exclusions.refresh()
    known = workspace.exclusions.known_refusal(workspace.top / "a/x.py", "completion")
    assert known is not None
    assert known.reason is Ground.COAIIGNORE
    assert workspace.ground("b/x.py", "context") is Ground.GITIGNORE


async def test_what_is_told_while_refreshing_is_not_lost(workspace: Workspace) -> None:
    assert workspace.ground("x.py") is None
    ignore_file = workspace.top / ".coaiignore"
    told = False

    def rules(_: Path | None) -> ExclusionRules:
        nonlocal told
        if not told:
            told = True
            workspace.write(".coaiignore", "x.py\n")
            exclusions.forget(ignore_file)
        return ExclusionRules()

    exclusions = Exclusions(rules, roots=[workspace.top])
    await exclusions.refresh()
    refusal = exclusions.refusal(workspace.top / "x.py", "completion")
    assert refusal is not None
    assert refusal.reason is Ground.COAIIGNORE


def test_memory_is_bounded(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coai_agents.exclusions.decisions.MOST_DECISIONS", 4)
    for number in range(20):
        assert workspace.ground(f"{number}.py") is None
    known = [
        number
        for number in range(20)
        if workspace.exclusions.known_refusal(workspace.top / f"{number}.py", "completion") is None
    ]
    assert 0 < len(known) <= 4 < MOST_DECISIONS


# ---------------------------------------------------------------------------------------- URIs


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///home/me/x.py", "/home/me/x.py"),
        ("untitled:Untitled-1", None),
        ("untitled:/home/me/.env", "/home/me/.env"),
        ("vscode-notebook-cell:/home/me/x.ipynb#W0s", "/home/me/x.ipynb"),
        ("git:/home/me/.env?%7B%22ref%22%3A%22~%22%7D", "/home/me/.env"),
        ("inmemory://model/1", "/1"),
        ("http://[", None),
        ("", None),
    ],
)
@posix_only
def test_documents_are_judged_by_the_path_in_their_uri(uri: str, path: str | None) -> None:
    assert path_to_judge(uri) == (None if path is None else Path(path))
