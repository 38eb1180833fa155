"""The way through folders: one for everybody, with one list of what is never entered."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import pytest

from coai_agents.analysis.run.gathering import SKIPPED, TooManyNamesError, files_in, walk
from coai_agents.application import workspace
from coai_agents.application.workspace import WorkspaceCode, code_in, read_code
from coai_agents.exclusions.decisions import ExclusionRules, Exclusions
from coai_routing.settings.loading import load

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def write(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x = 1\n", encoding="utf-8")


def audited(root: Path) -> list[str]:
    return _below(root, files_in([root]))


def code(root: Path, rules: ExclusionRules | None = None) -> list[str]:
    exclusions = Exclusions(lambda _: rules or ExclusionRules(), roots=[root])
    return _below(root, (each.path for each in code_in([root], exclusions)))


def _below(root: Path, paths: Iterable[Path]) -> list[str]:
    return [path.relative_to(root).as_posix() for path in paths]


@pytest.mark.parametrize("name", sorted(SKIPPED))
def test_what_holds_nothing_of_the_users_own_is_entered_by_nobody(
    tmp_path: Path, name: str
) -> None:
    write(tmp_path, "a.py", f"{name}/b.py", f"c/{name}/d.py")
    assert audited(tmp_path) == code(tmp_path) == ["a.py"]


@pytest.mark.parametrize(
    ("file", "pattern"),
    [(".gitignore", "out/"), (".coaiignore", "out/"), (".gitignore", "*_pb.py")],
)
def test_what_is_ignored_is_left_out_by_all(tmp_path: Path, file: str, pattern: str) -> None:
    write(tmp_path, "a.py", "out/x_pb.py", "in/b.py")
    (tmp_path / file).write_text(f"{pattern}\n", encoding="utf-8")
    assert audited(tmp_path) == code(tmp_path) == ["a.py", "in/b.py"]


def test_an_audit_looks_for_secrets_in_texts_and_who_looks_at_code_does_not(tmp_path: Path) -> None:
    write(tmp_path, "a.py", ".env", "b.toml", "c.png")
    assert audited(tmp_path) == [".env", "a.py", "b.toml"]
    assert code(tmp_path) == ["a.py"]


def test_what_the_settings_exclude_is_no_code_to_look_at(tmp_path: Path) -> None:
    write(tmp_path, "a.py", "private/b.py")
    assert code(tmp_path, ExclusionRules(privacy=("private/",))) == ["a.py"]


def test_a_folders_own_files_come_first_and_names_are_in_order(tmp_path: Path) -> None:
    write(tmp_path, "z.py", "b/y.py", "a/x.py", "a/c/w.py")
    assert code(tmp_path) == ["z.py", "a/x.py", "a/c/w.py", "b/y.py"]


class _All:
    def at(self, _: str) -> _All:
        return self

    def below(self, _: str) -> _All:
        return self

    def keeps(self, _: str) -> bool:
        return True


class _Deep(_All):
    def __init__(self) -> None:
        self.frames: list[int] = []

    def at(self, _: str) -> _Deep:
        self.frames.append(len(inspect.stack(0)))
        return self

    below = at


def test_depth_costs_no_stack(tmp_path: Path) -> None:
    write(tmp_path, f"{'d/' * 40}a.py")
    deep = _Deep()
    assert len(list(walk(str(tmp_path), deep))) == 1
    assert len(set(deep.frames)) == 1


def test_no_more_names_are_read_than_are_wanted(tmp_path: Path) -> None:
    write(tmp_path, "a.py", "b.py", "c/d.py", "c/e.py")
    assert len(list(walk(str(tmp_path), _All(), 5))) == 4
    with pytest.raises(TooManyNamesError):
        list(walk(str(tmp_path), _All(), 4))


async def test_the_files_of_a_workspace_are_known_until_something_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workspace, "_REST", 1e9)
    write(tmp_path, "a.py", "b.py")
    (tmp_path / "b.py").write_text(f"#{'x' * workspace.MOST_BYTES}\n", encoding="utf-8")
    settings = load(workspace_roots=[tmp_path])
    known = WorkspaceCode(lambda: settings)
    first = await known.entries([tmp_path], 1)
    assert _below(tmp_path, (each.path for each in first)) == ["a.py"]
    assert read_code(tmp_path / "a.py", [tmp_path]) == "x = 1\n"
    assert read_code(tmp_path / "a.py", [tmp_path / "c"]) is None
    write(tmp_path, "c.py")
    assert await known.entries([tmp_path], 1) is first
    assert len(await known.entries([tmp_path], 2)) == 2
    write(tmp_path, "d.py")
    known.stale()
    assert len(await known.entries([tmp_path], 2)) == 3
