"""The reference of all settings, made from their declarations.

`python -m coai_routing.settings.reference` writes `docs/settings.md`; with `--editor` it prints the
settings as VS Code's `contributes.configuration.properties`.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic.alias_generators import to_camel

from coai_routing.settings.environment import DELIMITER, ENV_FILE_VARIABLE, PREFIX
from coai_routing.settings.fields import Branch, Entries, Leaf, dotted, leaves, settings_tree
from coai_routing.settings.files import PROJECT_FILE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from coai_routing.settings.fields import Node

REFERENCE_FILE = Path("docs", "settings.md")

_INTRODUCTION = f"""\
# Settings

<!-- Made by `python -m coai_routing.settings.reference` from the declarations in
routing/coai_routing/settings/schema.py. Change those, not this page. -->

COAI works with nothing set. `coai config show` prints every setting with its value and where that
comes from.

## Where settings come from

Of two values for one setting, the one further up in this list counts.

1. The command line.
2. The editor: its settings for the language server, such as
   `"coai.completion.targetLatencyMs": 500` in VS Code.
3. The environment: `{PREFIX}COMPLETION{DELIMITER}TARGET_LATENCY_MS=500`. Lists and tables are JSON.
   A file `.env` adds variables that the environment does not have, see below.
4. The project file: `{PROJECT_FILE}`, or the table `[tool.coai]` of `pyproject.toml`, in the
   workspace folder or above it in the same repository. It may only narrow, see below.
5. The user file: `~/.config/coai/config.toml` on Linux,
   `~/Library/Application Support/coai/config.toml` on macOS,
   `%LOCALAPPDATA%\\coai\\config.toml` on Windows.
6. The defaults on this page.

Entries of a table, such as `completion.languages`, are taken one by one. A list from one source
takes the place of a list from another; only a project's patterns are added.

In TOML and in the environment names are written as `target_latency_ms`, in an editor as
`targetLatencyMs`; both are understood everywhere.

```toml
# ~/.config/coai/config.toml
[completion]
max_tokens = 64
languages = {{ markdown = false }}

[endpoints.custom.workstation]
kind = "llama_server"
url = "http://workstation.example:8080"
```

A wrong value is reported with its file, line and name, and with what was expected. It does not
count, the source below it does, and COAI starts anyway.

## What comes with the code is not trusted

Whoever opens a repository has not read it. So a project file may only narrow what COAI does, in its
own folder, and nothing it says can send code anywhere, name a server, or run anything:
"""

_AFTER_THE_RULES = f"""\
Whatever else it says is reported and left out. If it has settings in both `{PROJECT_FILE}` and
`pyproject.toml`, the former counts.

The same holds for a file `.env` in the current directory, as editors start language servers in the
workspace. It may set everything only in your home directory or beside the user file, as long as
that is not the workspace, or if the variable `{ENV_FILE_VARIABLE}` names it. References such as
`${{HOME}}` in it are not replaced.

Some editors let a repository change their own settings. COAI cannot tell such a value from yours;
VS Code asks whether you trust the workspace, and takes these settings from your own ones only.
"""


def render() -> str:
    """Return the reference as Markdown."""
    rules = "\n".join(
        f"- `{_name(leaf)}`: {leaf.narrowing.rule}" for leaf in leaves() if leaf.narrowing
    )
    sections = "\n".join(_section(node) for node in settings_tree().children.values())
    return f"{_INTRODUCTION}\n{rules}\n\n{_AFTER_THE_RULES}\n{sections}"


def editor_properties() -> dict[str, dict[str, Any]]:
    """Return the settings as VS Code declares them, under `coai.` and in camelCase.

    All have the scope `machine`, so that the settings file of a workspace cannot set them. Keys of
    servers are not among them: editors copy their settings to other machines.
    """
    return dict(_editor_entries(settings_tree(), "coai"))


def _editor_entries(node: Node, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(node, Branch):
        for key, child in node.children.items():
            yield from _editor_entries(child, f"{name}.{to_camel(key)}")
    elif not (isinstance(node, Leaf) and node.secret):
        default: object = {} if isinstance(node, Entries) else node.default
        meaning = {"markdownDescription": _meaning(node)}
        yield name, {**_schema(node), **meaning, "default": default, "scope": "machine"}


def _schema(node: Node) -> dict[str, Any]:
    """Return the JSON schema of a node's value."""
    if isinstance(node, Branch):
        properties: dict[str, Any] = {}
        required: list[str] = []
        for key, child in node.children.items():
            assert isinstance(child, Leaf)  # as nothing is nested inside an entry
            if child.secret:
                continue
            properties[to_camel(key)] = {**_schema(child), "markdownDescription": _meaning(child)}
            required += [to_camel(key)] if child.required else []
        return {
            "type": "object",
            "additionalProperties": False,
            "properties": properties,
            "required": required,
        }
    if isinstance(node, Entries):
        return {"type": "object", "additionalProperties": _schema(node.entry)}
    schema = node.adapter.json_schema()
    if node.nullable:
        schema["type"] = [schema["type"], "null"]
    return schema


def _section(branch: Node, depth: int = 2) -> str:
    """Return a group of settings: a table of its own, then its groups."""
    assert isinstance(branch, Branch)
    lines = [f"{'#' * depth} `{dotted(branch.path)}`", "", branch.description, ""]
    settings = [n for n in branch.children.values() if isinstance(_entry(n), Leaf)]
    if settings:
        lines += ["| Setting | Takes | Default | Meaning |", "|---|---|---|---|"]
        lines += [_row(node) for node in settings]
        lines.append("")
    for node in branch.children.values():
        entry = _entry(node)
        if isinstance(entry, Branch):
            lines.append(_section(entry, depth + 1))
    return "\n".join(lines)


def _entry(node: Node) -> Node:
    return node.entry if isinstance(node, Entries) else node


def _row(node: Node) -> str:
    assert isinstance(node, Leaf | Entries)
    name, takes, default = node.path[-1], node.expected, "`{}`"
    if isinstance(node, Leaf):
        takes += f", {node.unit}" if node.unit else ""
        default = "must be set" if node.required else _toml(node.default)
    return f"| `{name}` | {_cell(takes)} | {_cell(default)} | {_cell(_meaning(node))} |"


def _meaning(node: Leaf | Entries) -> str:
    leaf = node if isinstance(node, Leaf) else next(leaves(node))
    rule = f" A project file may {leaf.narrowing.rule}." if leaf.narrowing else ""
    return node.description + rule


def _name(leaf: Leaf) -> str:
    return dotted(leaf.path).removesuffix(".<name>")


def _toml(value: object) -> str:
    """Return a default as TOML writes it, which for these is as JSON does; nothing for None."""
    return "" if value is None else f"`{json.dumps(value)}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the reference, or print the editor's settings."""
    parser = argparse.ArgumentParser(prog="python -m coai_routing.settings.reference")
    parser.add_argument("--editor", action="store_true", help="print VS Code's configuration")
    parser.add_argument("file", nargs="?", type=Path, default=REFERENCE_FILE)
    chosen = parser.parse_args(arguments)
    if chosen.editor:
        sys.stdout.write(json.dumps(editor_properties(), indent=2) + "\n")
    else:
        chosen.file.write_text(render(), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
