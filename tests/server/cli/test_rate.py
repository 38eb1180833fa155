"""`coai rate` and `coai stats --agents`: answers are judged, and the next team is chosen by it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.server.test_explanations import local_model

if TYPE_CHECKING:
    from tests.server.cli.conftest import Home

TEXT = "def total_of(prices):\n    return sum(prices)\n"


def test_an_answer_is_rated_and_counts(own_home: Home) -> None:
    home = own_home
    path = home.folder / "shop.py"
    path.write_text(TEXT)
    assert home("rate").out.strip() == "There is no answer yet."
    assert home("rate", "helpful").code == 1
    with local_model() as model:
        model.answer = "It sums `prices`."
        settings = {
            "COAI_ENGINE__ENABLED": "false",
            "COAI_ENDPOINTS__LMSTUDIO__ENABLED": "true",
            "COAI_ENDPOINTS__LMSTUDIO__URL": f"{model.url}/v1",
            # A challenger that is not there costs no answer.
            "COAI_AGENTS__CHALLENGER__MODEL": "nobody",
            "COAI_AGENTS__CHALLENGER__SHARE": "1.0",
        }
        ran = home("ask", "Is it secure, and what does it do?", str(path), **settings)
        assert "It sums" in ran.out, ran.err
        off = home("ask", "What does it do?", str(path), COAI_LEDGER__ENABLED="false", **settings)
        assert "It sums" in off.out, off.err
    rows = json.loads(home("rate", "--json").out)
    assert {row["agent"] for row in rows} == {"security", "answer"}
    (name,) = {row["answer"] for row in rows}
    assert home("rate", "unhelpful", name).code == 0
    assert home("rate", "helpful", "ffff").code == 1
    table = {row["agent"]: row for row in json.loads(home("stats", "--agents", "--json").out)}
    assert {row["unhelpful"] for row in table.values()} == {1}
    assert table["answer"]["model"]
    assert (table["security"]["model"], table["security"]["share"]) == ("", 0.5)
    assert table["answer"]["challenger"] == 0
    shown = home("stats", "--agents").out
    assert "0 of 1" in shown
    assert "Standing" in shown
