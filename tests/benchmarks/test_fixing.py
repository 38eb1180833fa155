"""The judge of the repairs: a right function passes, a wrong one does not, in both languages."""

from __future__ import annotations

import gzip
import json
import shutil
from typing import TYPE_CHECKING

import pytest
from benchmarks.fixing import LANGUAGES, judge, rows_of

from coai_agents.source import Source
from coai_server.cli.agents.trying import Trial

if TYPE_CHECKING:
    from pathlib import Path

ROWS = {
    "python": {
        "prompt": 'def total(items):\n    """Add them."""\n',
        "buggy_solution": "    return len(items)\n",
        "canonical_solution": "    return sum(items)\n",
        "test": "assert total([1, 2]) == 3\n",
    },
    "js": {
        "prompt": "const total = (items) => {\n",
        "buggy_solution": "  return items.length;\n}\n",
        "canonical_solution": "  return items.reduce((a, b) => a + b, 0);\n}\n",
        "test": "const t = () => { console.assert(total([1, 2]) === 3); };\nt();\n",
    },
}


@pytest.mark.parametrize("name", ROWS)
async def test_a_repair_is_judged_by_the_row_s_tests(tmp_path: Path, name: str) -> None:
    if name == "js" and shutil.which("node") is None:
        pytest.skip("there is no node")
    document = {"task_id": "t/0", "entry_point": "total", **ROWS[name]}
    with gzip.open(tmp_path / f"humanevalpack_{name}.jsonl.gz", "wt", encoding="utf-8") as file:
        file.write(json.dumps(document) + "\n")
    (row,) = rows_of(tmp_path, name, 1)
    path = tmp_path / f"program.{row.suffix}"
    path.write_text(row.text, "utf-8")
    (tmp_path / f"judge.{row.suffix}").write_text(judge(row), "utf-8")
    command = f"{LANGUAGES[name][2]} judge.{row.suffix}"
    trial = Trial(path, command, seconds=60, directory=tmp_path)
    good = ROWS[name]["prompt"] + ROWS[name]["canonical_solution"]
    assert not (await trial(Source(path.as_uri(), row.text, row.language))).passed
    assert (await trial(Source(path.as_uri(), good, row.language))).passed
