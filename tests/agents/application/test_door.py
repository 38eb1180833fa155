"""A new door: everything that the program can do, in a few lines each, without the other doors."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.agents.application.conftest import only

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.llama import LlamaServer

DOOR = """
import asyncio, json, sys
from pathlib import Path

from coai_agents.application.analyse import analyse
from coai_agents.application.audit.auditing import audit
from coai_agents.application.audit.baseline import write_baseline
from coai_agents.application.audit.request import AuditRequest
from coai_agents.application.complete import Completions
from coai_agents.application.document_settings import DocumentSettings
from coai_agents.application.fix import fix
from coai_agents.application.hover import hover_facts
from coai_agents.application.models import loaded_models
from coai_agents.fixes.verifier import applied
from coai_agents.source import Source
from coai_agents.syntax.tree import parse
from coai_routing.settings.loading import load

folder = Path(sys.argv[1])
path = folder / "a.py"
source = Source(path.as_uri(), path.read_text("utf-8"))
told = {}

analysis = analyse(source)
told["analyse"] = [each.rule for each in analysis.findings]

first = audit(AuditRequest((folder,), cached=False))
write_baseline(folder / "known.json", first.rows)
known = audit(AuditRequest((folder,), cached=False, baseline=folder / "known.json"))
told["audit"] = [len(first.rows), len(known.rows)]

(best, *_) = fix(source, analysis, analysis.findings[0].span)
told["fix"] = applied(source, best.edits).text

facts = hover_facts(source, source.text.index("fetch"), analysis, parse(source))
told["hover"] = facts.sections


async def complete():
    loaded = load(overrides=json.loads(sys.argv[2]), workspace_roots=[folder])
    async with loaded_models(loaded.settings) as (models, _):
        completions = Completions(models, DocumentSettings(lambda: loaded, [folder]))
        outcome = await completions.complete(source, len(source.text))
        await completions.aclose()
        return type(outcome).__name__

told["complete"] = asyncio.run(complete())
foreign = {"coai_server", "lsprotocol", "pygls", "typer", "click", "rich"}
told["foreign"] = sorted(foreign & {name.partition(".")[0] for name in sys.modules})
print(json.dumps(told))
"""

CODE = (
    "import requests\n\n\ndef fetch(url):\n    return requests.get(url, timeout=9, verify=False)\n"
)


def test_a_door_needs_a_few_lines_and_no_other_door(tmp_path: Path, coder: LlamaServer) -> None:
    (tmp_path / "a.py").write_text(CODE, encoding="utf-8")
    said = subprocess.run(
        (sys.executable, "-c", DOOR, str(tmp_path), json.dumps(only(coder))),
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert said.returncode == 0, said.stderr.decode()
    told = json.loads(said.stdout)
    assert told["analyse"] == ["tls-verification-off"]
    assert told["audit"] == [1, 0]
    assert told["fix"] == CODE.replace(", verify=False", "")
    assert told["hover"][0].startswith("```python\ndef fetch(url)")
    assert told["complete"] == "Suggestion"
    assert told["foreign"] == []
