"""The reference of settings: it is what the declarations say, and it is complete."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from coai_routing.settings.fields import leaves
from coai_routing.settings.reference import REFERENCE_FILE, editor_properties, main, render

ROOT = Path(__file__).parents[3]


def test_the_page_in_the_repository_is_what_the_declarations_say() -> None:
    committed = (ROOT / REFERENCE_FILE).read_text(encoding="utf-8")
    assert committed == render(), "run `python -m coai_routing.settings.reference`"


def test_the_module_writes_the_page(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    command = [sys.executable, "-m", "coai_routing.settings.reference"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / REFERENCE_FILE).read_bytes() == render().encode()


@pytest.mark.parametrize("leaf", list(leaves()), ids=lambda leaf: ".".join(leaf.path))
def test_every_setting_is_on_the_page(leaf: Any) -> None:  # noqa: ANN401 - pytest gives it
    section, name = ".".join(leaf.path[:-1]), leaf.path[-1]
    if name == "<name>":
        section, _, name = section.rpartition(".")
    _, _, page = render().partition(f"# `{section}`\n")
    table, _, _ = page.partition("\n#")
    assert f"| `{name}` | " in table
    assert leaf.description in table


def test_the_page_says_what_a_setting_takes_its_unit_and_its_default() -> None:
    page = render()
    assert "| `max_tokens` | a whole number from 16 to 1024, tokens | `128` | " in page
    assert '| `multiline` | "auto", "always" or "never" | `"auto"` | ' in page
    assert "| `threads` | a whole number from 1 to 1024, threads |  | " in page
    assert "without user name, query or fragment | must be set | " in page
    assert "- `completion.languages`: switch entries off\n" in page


def test_an_editor_is_told_every_setting_but_keys(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--editor"])
    properties = json.loads(capsys.readouterr().out)
    assert properties == json.loads(json.dumps(editor_properties()))
    assert properties["coai.completion.targetLatencyMs"] == {
        "type": "integer",
        "minimum": 50,
        "maximum": 10_000,
        "default": 300,
        "scope": "machine",
        "markdownDescription": (
            "How soon a suggestion should appear. Prompts are made as long as the measured speed "
            "of the backend allows within this time."
        ),
    }
    assert properties["coai.completion.languages"]["additionalProperties"] == {"type": "boolean"}
    assert properties["coai.completion.debounceMs"]["type"] == ["integer", "null"]
    custom = properties["coai.endpoints.custom"]["additionalProperties"]
    assert set(custom["properties"]) == {"enabled", "url", "model", "kind", "apiKeyEnv"}
    assert custom["required"] == ["url"]
    assert 'apiKey"' not in json.dumps(properties)
    settings = [leaf for leaf in leaves() if "<name>" not in leaf.path and not leaf.secret]
    assert len(properties) == len(settings) + 6, "the six maps"


def test_a_workspace_cannot_set_anything_through_the_editor() -> None:
    assert {entry["scope"] for entry in editor_properties().values()} == {"machine"}
