"""A package of somebody else's with one plug-in of each kind, as pip would have installed it."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

NAME = "coai-greetings"
MODULE = "coai_greetings"

SOURCE = """
import json
import urllib.request

from coai_agents.plugins.interfaces import Help
from coai_agents.workflows.definition.known import Signature
from coai_agents.workflows.definition.types import NUMBER, TEXT
from coai_agents.workflows.engine.work import StepFailedError


class Greeter:
    signature = Signature({"name": TEXT}, TEXT, ("name",), "none", "greets somebody")

    async def do(self, given, helping: Help):
        if not isinstance(given.get("name"), str):
            raise StepFailedError("A name was expected.", again=False)
        return f"Hello, {given['name'][:100]}."


class Lines:
    signature = Signature({"path": TEXT}, NUMBER, ("path",), "reads", "lines of a file")

    async def do(self, given, helping: Help):
        if not isinstance(given.get("path"), str):
            raise StepFailedError("A path was expected.", again=False)
        return len(helping.folder.source(given["path"]).text.splitlines())


def short(report):
    return f"{report.story.row.name}: {report.story.row.state}\\n"
"""


def install(folder: Path, source: str = SOURCE, extra: str = "") -> Path:
    """Write the package as it lies after its installation; returns the folder for the path."""
    (folder / f"{MODULE}.py").write_text(source)
    info = folder / f"{MODULE}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {NAME}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        textwrap.dedent(
            f"""
            [coai.agents]
            greeter = {MODULE}:Greeter

            [coai.tools]
            lines = {MODULE}:Lines
            read = {MODULE}:Lines

            [coai.formatters]
            short = {MODULE}:short
            """
        )
        + extra
    )
    return folder
