"""The user's own weights: which files a list offers, and which it leaves out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coai_routing.registry.catalog import builtin_catalog
from coai_routing.weights import own_weights as module
from coai_routing.weights.own_weights import own_weights
from tests.support.tiny_gguf import write_tiny_gguf

if TYPE_CHECKING:
    from pathlib import Path

CATALOG = builtin_catalog()


def names(*places: Path, in_use: str = "qwen2.5-coder-0.5b") -> list[str]:
    return [one.path.name for one in own_weights(CATALOG, places, in_use)]


def test_files_that_fill_in_the_middle_are_found(tmp_path: Path) -> None:
    folder = tmp_path / "weights"
    folder.mkdir()
    write_tiny_gguf(folder / "Qwen2.5-Coder-own.GGUF")
    # The maker's name says what the file's does not.
    write_tiny_gguf(folder / "mine.gguf", name="Qwen2.5 Coder Mine")
    single = write_tiny_gguf(tmp_path / "qwen2.5-coder-alone.gguf")
    found = own_weights(CATALOG, (folder, single), "")
    assert [(one.path.name, one.title) for one in found] == [
        ("qwen2.5-coder-alone.gguf", "Tiny Random Coder"),
        ("Qwen2.5-Coder-own.GGUF", "Tiny Random Coder"),
        ("mine.gguf", "Qwen2.5 Coder Mine"),
    ]
    assert {(one.family, one.in_use) for one in found} == {("qwen2.5-coder", False)}
    assert found[0].size == single.stat().st_size


def test_what_cannot_be_used_is_left_out(tmp_path: Path) -> None:
    good = write_tiny_gguf(tmp_path / "qwen2.5-coder-good.gguf")
    write_tiny_gguf(tmp_path / "of-no-known-family.gguf")
    (tmp_path / "qwen2.5-coder-broken.gguf").write_bytes(b"GGUF and nothing more")
    (tmp_path / "qwen2.5-coder-short.gguf").write_bytes(good.read_bytes()[:-100])
    (tmp_path / "qwen2.5-coder.txt").write_text("no weights", encoding="utf-8")
    (tmp_path / "qwen2.5-coder-folder.gguf").mkdir()
    catalogued = CATALOG.models[0].file_name
    (tmp_path / catalogued).write_bytes(good.read_bytes())
    assert names(tmp_path, tmp_path / "nowhere") == [good.name]


def test_the_file_in_use_is_listed_wherever_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "home").mkdir()
    used = write_tiny_gguf(tmp_path / "home" / "qwen2.5-coder-used.gguf")
    other = write_tiny_gguf(tmp_path / "qwen2.5-coder-other.gguf")
    for home in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(home, str(used.parent))
    listed = own_weights(CATALOG, (other,), f"~/{used.name}")
    assert {one.path: one.in_use for one in listed} == {used: True, other: False}


@pytest.mark.parametrize("in_use", ["", "qwen2.5-coder-0.5b", "no such file", "~nobody/x.gguf"])
def test_a_setting_that_names_no_file_adds_none(tmp_path: Path, in_use: str) -> None:
    assert names(tmp_path, in_use=in_use) == []


def test_no_more_than_so_many_are_looked_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for letter in "abc":
        write_tiny_gguf(tmp_path / f"qwen2.5-coder-{letter}.gguf")
    monkeypatch.setattr(module, "MOST", 2)
    assert names(tmp_path) == ["qwen2.5-coder-a.gguf", "qwen2.5-coder-b.gguf"]
