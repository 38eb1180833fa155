"""The web as a tool: off unless switched on, and what comes is text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coai_agents.tools.errors import ToolError
from coai_agents.tools.registry import use
from coai_agents.tools.tool import Bench
from coai_agents.tools.web import RoutedWeb
from coai_agents.tools.workspace import Folder
from coai_routing.web.pages import Asking
from tests.agents.tools.support import used
from tests.routing.web.test_web import ANYBODY, pages, port_of, site

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("tool", "given"),
    [("web_search", {"words": "x"}), ("web_fetch", {"url": "https://page.example/"})],
)
async def test_it_is_off_unless_it_is_switched_on(
    tmp_path: Path, tool: str, given: dict[str, str]
) -> None:
    with pytest.raises(ToolError) as raised:
        await used(tmp_path, tool, **given)
    assert "web.enabled" in raised.value.remedy


async def test_a_page_and_a_search_come_as_text(tmp_path: Path) -> None:
    async with site() as (_, server):
        url = str(server.make_url("/search"))
        web = RoutedWeb(pages(here=True, ports=(port_of(server),), url=url), ANYBODY)
        bench = Bench(Folder(tmp_path), web=web)
        page = await use("web_fetch", {"url": str(server.make_url("/page"))}, bench)
        assert page == {"url": str(server.make_url("/page")), "title": "", "text": "Hello"}
        found = await use("web_search", {"words": "sorting", "most": 1}, bench)
        assert found == [{"url": "https://a.example", "title": "A", "text": "b"}]


@pytest.mark.parametrize(
    ("tool", "given", "said"),
    [
        ("web_search", {"words": ""}, "words has to be"),
        ("web_search", {"words": "x" * 501}, "words has to be"),
        ("web_search", {"words": "x", "most": 99}, "from 1 to 20"),
        ("web_fetch", {"url": "http://127.0.0.1/"}, "not public"),
        ("web_fetch", {"url": "https://page.example/?q=1"}, "sensitive"),
    ],
)
async def test_what_is_refused_says_why(
    tmp_path: Path, tool: str, given: dict[str, object], said: str
) -> None:
    asking = Asking(paths=("secret/plan.py",)) if said == "sensitive" else ANYBODY
    bench = Bench(Folder(tmp_path), web=RoutedWeb(pages(), asking))
    with pytest.raises(ToolError) as raised:
        await use(tool, given, bench)
    assert said in str(raised.value)
