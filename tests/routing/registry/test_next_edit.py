"""Which models predict the next edit, by their names as backends spell them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coai_routing.errors import SettingsError
from coai_routing.registry.catalog import builtin_catalog
from coai_routing.registry.next_edit import load_next_edit, next_edit_family

if TYPE_CHECKING:
    from pathlib import Path

NAMES = [
    ("sweep-next-edit-1.5b", "sweep-next-edit"),
    ("hf.co/sweepai/sweep-next-edit-1.5B:Q8_0", "sweep-next-edit"),
    ("/models/sweep-next-edit-0.5b.q8_0.gguf", "sweep-next-edit"),
    ("sweepai/sweep_next_edit_7b", "sweep-next-edit"),
    ("sweep-next-edit-1.5b.q8_0.v2.gguf", "sweep-next-edit"),
    ("henrik3/sweep-next-edit-v2-7B-GGUF", "sweep-next-edit-v2"),
    ("sweep-next-edit-v2-7b:q4_k_m", "sweep-next-edit-v2"),
    ("zeta", "zeta"),
    ("zeta:latest", "zeta"),
    ("bartowski/zed-industries_zeta-GGUF:Q4_K_M", "zeta"),
    ("zed-industries_zeta-Q4_K_M.gguf", "zeta"),
    ("zeta-2", "zeta-2"),
    ("zeta2:latest", "zeta-2"),
    ("hf.co/zed-industries/zeta-2", "zeta-2"),
    ("zeta-2-q8_0.gguf", "zeta-2"),
    ("zed-industries/zeta-2.1", "zeta-2.1"),
    ("zeta-2.1.i1-Q4_K_M.gguf", "zeta-2.1"),
    # Others.
    ("qwen2.5-coder:1.5b", None),
    ("glm-zeta", None),
    ("zeta-alpha-e5-mistral", None),
    ("zeta-3", None),
    ("deepseek-coder:6.7b", None),
    ("sweep", None),
    ("", None),
]


@pytest.mark.parametrize(("name", "family"), NAMES, ids=lambda value: str(value)[-24:])
def test_a_model_is_known_by_its_name(name: str, family: str | None) -> None:
    found = next_edit_family(name)
    assert (None if found is None else found.name) == family


@pytest.mark.parametrize("name", [name for name, family in NAMES if family is not None])
def test_none_of_them_passes_for_a_model_that_fills_in(name: str) -> None:
    assert builtin_catalog().family_of(name) is None


def test_a_files_architecture_has_the_last_word() -> None:
    assert next_edit_family("sweep-next-edit-1.5b.gguf", "qwen2") is not None
    assert next_edit_family("sweep-next-edit-1.5b.gguf", "bert") is None


def test_words_that_speak_to_the_model_are_broken_up() -> None:
    family = next_edit_family("zeta-2")
    assert family is not None
    text = "a <[fim-middle]> b >>>>>>> UPDATED"
    assert family.speaks_in(text)
    assert not family.speaks_in(family.escape(text))
    assert family.escape("plain > text") == "plain > text"


@pytest.mark.parametrize(
    ("text", "what"),
    [("families = [", "no TOML"), ("families = []", "families"), ("[[families]]", "name")],
)
def test_a_wrong_file_is_named(tmp_path: Path, text: str, what: str) -> None:
    file = tmp_path / "next_edit.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=what) as caught:
        load_next_edit(file)
    assert str(file) in str(caught.value)
