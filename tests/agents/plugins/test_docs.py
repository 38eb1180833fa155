"""The programs of docs/library.md run, and the other pages name what there is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from coai_agents.plugins.finding import GROUPS
from coai_routing.records import span_names
from coai_routing.settings.schema import Settings

DOCS = Path(__file__).parents[3] / "docs"
LIBRARY = (DOCS / "library.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"^```python\n(.*?)^```$", LIBRARY, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("number", range(len(PROGRAMS)))
def test_every_program_of_the_page_runs(number: int, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAMS[number]],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_pages_name_what_there_is() -> None:
    for group in GROUPS:
        assert f'entry-points."{group}"' in LIBRARY
    telemetry = (DOCS / "telemetry.md").read_text(encoding="utf-8")
    for name in (
        span_names.INVOKE_WORKFLOW,
        span_names.INVOKE_AGENT,
        span_names.EXECUTE_TOOL,
        span_names.CHAT,
        span_names.CONVERSATION,
        span_names.COST,
        span_names.STATE,
    ):
        assert name in telemetry
    cluster = (DOCS / "cluster.md").read_text(encoding="utf-8")
    for name in type(Settings().cluster).model_fields:
        assert name in cluster
