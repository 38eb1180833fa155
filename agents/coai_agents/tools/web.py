"""The web as a tool: a search, and the text of a page; what comes is data like any file's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from coai_agents.specialists.untrusted import from_model
from coai_agents.tools.documents.markup import text_of_html
from coai_agents.tools.errors import ToolError
from coai_agents.tools.tool import Tool, fields, number_of, text_of
from coai_agents.workflows.definition.known import Signature
from coai_agents.workflows.definition.types import NUMBER, TEXT, Json, Type
from coai_routing.errors import CoaiError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from coai_agents.tools.tool import Bench, Given, Web
    from coai_routing.web.pages import Asking, WebPages

MOST_CHARACTERS: Final = 40_000
"""Of a page."""
MOST_TEXT: Final = 500
"""Of what a search says of a page."""

PAGE: Final = fields(url=TEXT, title=TEXT, text=TEXT)


class RoutedWeb:
    """The web by way of floor 1, which decides what may leave and what may be reached."""

    def __init__(self, pages: WebPages, asking: Asking) -> None:
        """`asking` says what whoever asks may have seen."""
        self._pages = pages
        self._asking = asking

    async def search(self, words: str, *, most: int) -> list[Json]:
        """Return {url, title, text} of what is found; raises `ToolError`."""
        try:
            found = await self._pages.search(words, self._asking, most=most)
        except CoaiError as error:
            raise ToolError(error.message, remedy=error.remedy) from error
        return [
            {
                "url": each["url"][:MOST_TEXT],
                "title": _plain(each["title"])[:MOST_TEXT],
                "text": _plain(each["text"])[:MOST_TEXT],
            }
            for each in found
        ]

    async def fetch(self, url: str) -> Json:
        """Return {url, title, text} of a page; raises `ToolError`."""
        try:
            page = await self._pages.fetch(url, self._asking)
        except CoaiError as error:
            raise ToolError(error.message, remedy=error.remedy) from error
        if "html" in page.kind:
            title, text = text_of_html(page.text, MOST_CHARACTERS)
        else:
            title, text = "", page.text[:MOST_CHARACTERS]
        return {"url": page.url, "title": from_model(title), "text": from_model(text)}


def _plain(markup: str) -> str:
    """Return what a search says without the marks of the words that were found."""
    return from_model(text_of_html(markup, MOST_CHARACTERS)[1])


def _web(bench: Bench) -> Web:
    if bench.web is None:
        raise ToolError(
            "No tool may ask the web.",
            remedy="Set `web.enabled` in your settings, if that is what you want.",
        )
    return bench.web


async def _search(given: Given, bench: Bench) -> Json:
    words = text_of(given, "words").strip()
    if not words or len(words) > MOST_TEXT:
        raise ToolError(f"words has to be a text of at most {MOST_TEXT} characters.")
    return await _web(bench).search(words, most=number_of(given, "most", 8, 20))


async def _fetch(given: Given, bench: Bench) -> Json:
    return await _web(bench).fetch(text_of(given, "url").strip())


WEB: Final[Mapping[str, Tool]] = {
    "web_search": Tool(
        Signature(
            {"words": TEXT, "most": NUMBER},
            Type("list", item=PAGE),
            ("words",),
            "sends",
            "what a search of the web finds; off unless `web.enabled`",
        ),
        _search,
    ),
    "web_fetch": Tool(
        Signature(
            {"url": TEXT}, PAGE, ("url",), "sends", "the text of a page; off unless `web.enabled`"
        ),
        _fetch,
    ),
}
