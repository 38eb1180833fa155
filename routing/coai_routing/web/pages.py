"""Fetching a page and searching: bounded, guarded, logged, and never with anything sensitive."""

from __future__ import annotations

import asyncio
import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import aiohttp
from pydantic import BaseModel, ValidationError
from yarl import URL

from coai_routing.errors import CoaiError, EgressRefusedError
from coai_routing.privacy.egress import is_loopback
from coai_routing.privacy.sensitivity import assess
from coai_routing.request import Capability, ModelRequest
from coai_routing.router.calls import departure_of, logged
from coai_routing.web.public_addresses import PublicResolver, is_public

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from coai_routing.privacy.departures import EgressLog
    from coai_routing.privacy.egress import Egress
    from coai_routing.privacy.sensitivity import SensitivityRules
    from coai_routing.settings.router_sections import WebSettings
    from coai_routing.web.public_addresses import IsPublic

MOST_BYTES: Final = 3_000_000
MOST_REDIRECTS: Final = 5
MOST_ADDRESS: Final = 2_000
SECONDS: Final = 30.0

_PORTS: Final = (80, 443)
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_TEXTS: Final = ("text/", "application/json", "application/xhtml", "application/xml")
_AGENT: Final = "coai"
_SEARCHES: Final[Mapping[str, str]] = {
    "brave": "https://api.search.brave.com/res/v1/web/search",
    "tavily": "https://api.tavily.com/search",
}


class WebError(CoaiError):
    """A page or a search could not be had."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page as it came."""

    url: str
    kind: str
    """Its media type."""
    text: str


@dataclass(frozen=True, slots=True)
class Asking:
    """For whom something is asked: what it may have seen decides what may leave with it."""

    paths: Sequence[str] = ()
    sensitive: bool = False


class WebPages:
    """The web, as the user's settings let it be asked."""

    def __init__(
        self,
        settings: WebSettings,
        *,
        egress: Egress,
        rules: SensitivityRules,
        departures: EgressLog | None,
        public: IsPublic = is_public,
        ports: Sequence[int] = _PORTS,
    ) -> None:
        """`public` and `ports` are for tests, whose servers are on this machine."""
        self._settings = settings
        self._egress = egress
        self._rules = rules
        self._departures = departures
        self._public = public
        self._ports = ports

    async def aclose(self) -> None:
        """Close the log of what left."""
        if self._departures is not None:
            await self._departures.aclose()

    async def fetch(self, url: str, asking: Asking) -> Page:
        """Return a page; raises `WebError`, and `EgressRefusedError` where nothing may leave."""
        address = self._checked(url)
        for _ in range(MOST_REDIRECTS + 1):
            await self.depart(str(address), str(address), asking)
            connector = aiohttp.TCPConnector(resolver=PublicResolver(self._public))
            page, onward = await self._got(address, connector)
            if page is not None:
                return page
            # Each one is judged anew: a public page may point to what is not.
            address = self._checked(onward)
        raise WebError(f"{url} leads on and on.", remedy="Name the page that it ends at.")

    async def search(self, words: str, asking: Asking, *, most: int) -> list[dict[str, str]]:
        """Return {title, url, text} of what a search finds; raises as `fetch` does."""
        settings = self._settings
        url = settings.url or _SEARCHES.get(settings.provider, "")
        key = settings.key()
        if not url:
            raise WebError(
                f"{settings.provider} has no address.", remedy="Set `web.url` to where yours is."
            )
        if settings.provider != "searxng" and not key:
            raise WebError(
                f"{settings.provider} wants a key.",
                remedy="Put it into a variable and name that in `web.api_key_env`.",
            )
        await self.depart(words, url, asking)
        headers, query, body = _search_request(settings.provider, words, key or "", most)
        try:
            async with (
                asyncio.timeout(SECONDS),
                aiohttp.ClientSession(trust_env=False) as session,
                session.request(
                    "POST" if body else "GET",
                    url,
                    params=query,
                    json=body or None,
                    headers=headers,
                    allow_redirects=False,
                ) as answer,
            ):
                content = await _read(answer, url)
                if answer.status != 200:  # noqa: PLR2004 - HTTP's OK
                    raise WebError(f"{settings.provider} answers with status {answer.status}.")
            return _results(settings.provider, content)[:most]
        except ValidationError as error:
            raise WebError(f"{settings.provider} answers with what is no list.") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise WebError(f"{settings.provider} could not be searched: {_why(error)}.") from error

    # --------------------------------------------------------------------- guarding

    def _checked(self, text: str) -> URL:
        """Return an address that may be fetched; raises `WebError`."""
        try:
            url = URL(text)
            port = url.port
        except ValueError as error:
            raise WebError("That is no address of a page.") from error
        if len(text) > MOST_ADDRESS or url.scheme not in ("http", "https") or not url.host:
            raise WebError("That is no address of a page.", remedy="Begin with https://.")
        if url.user or url.password or port not in self._ports:
            raise WebError(f"{url.host} is not fetched with a user name or from port {port}.")
        # No resolver is asked about a host that is an address already.
        if _is_address(url.host) and not self._public(url.host):
            raise WebError(f"{url.host} is not public.")
        return url

    async def depart(self, said: str, url: str, asking: Asking) -> None:
        """Decide whether words may leave for an address, and log that they do.

        Raises `EgressRefusedError`.
        """
        request = ModelRequest(
            capability=Capability.CODE_ANALYSIS, prompt=said, sensitive=asking.sensitive
        )
        if assess(request, self._rules, paths=asking.paths):
            request = request.model_copy(update={"sensitive": True})
        self._egress.check(request, url, provider="web")
        if self._departures is not None and not is_loopback(url):
            departure = departure_of(request, base_url=url, endpoint="web", model="", trusted=False)
            await logged(self._departures, departure)

    async def _got(self, address: URL, connector: aiohttp.TCPConnector) -> tuple[Page | None, str]:
        """Return a page, or where it leads on to."""
        try:
            async with (
                asyncio.timeout(SECONDS),
                aiohttp.ClientSession(connector=connector, trust_env=False) as session,
                session.get(
                    address, allow_redirects=False, headers={"User-Agent": _AGENT}
                ) as answer,
            ):
                if answer.status in _REDIRECTS and (onward := answer.headers.get("Location")):
                    return None, str(address.join(URL(onward)))
                if answer.status != 200:  # noqa: PLR2004 - HTTP's OK
                    raise WebError(f"{address} answers with status {answer.status}.")
                kind = answer.content_type
                if not kind.startswith(_TEXTS):
                    raise WebError(f"{address} is {kind}, and no text.")
                content = await _read(answer, str(address))
                text = content.decode(answer.charset or "utf-8", "replace")
                return Page(str(address), kind, text), ""
        except (aiohttp.ClientError, OSError, ValueError, LookupError) as error:
            raise WebError(f"{address} cannot be fetched: {_why(error)}.") from error


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        # Resolvers take other spellings of IPv4 addresses, too; what they make of it is judged.
        return False
    return True


async def _read(answer: aiohttp.ClientResponse, url: str) -> bytes:
    content = bytearray()
    async for piece in answer.content.iter_chunked(64 * 1024):
        content += piece
        if len(content) > MOST_BYTES:
            raise WebError(f"{url} has more than {MOST_BYTES:,} bytes.")
    return bytes(content)


def _why(error: Exception) -> str:
    inner = error.__cause__ or error
    return str(inner).rstrip(".") or type(error).__name__


def _search_request(
    provider: str, words: str, key: str, most: int
) -> tuple[dict[str, str], dict[str, str], dict[str, Any]]:
    """Return headers, query and body of a search, as the provider's documentation has them."""
    match provider:
        case "brave":
            headers = {"X-Subscription-Token": key, "Accept": "application/json"}
            return headers, {"q": words, "count": str(min(most, 20))}, {}
        case "tavily":
            headers = {"Authorization": f"Bearer {key}"}
            return headers, {}, {"query": words, "max_results": min(most, 20)}
        case _:
            headers = {"Authorization": f"Bearer {key}"} if key else {}
            return headers, {"q": words, "format": "json"}, {}


class _Found(BaseModel):
    title: str = ""
    url: str = ""
    content: str = ""
    """What Tavily and SearXNG call a page's text."""
    description: str = ""
    """What Brave does."""


class _Listed(BaseModel):
    results: list[_Found]


class _Brave(BaseModel):
    web: _Listed


def _results(provider: str, content: bytes) -> list[dict[str, str]]:
    """Return what an answer lists; raises ValueError for what is none of the provider's."""
    brave = provider == "brave"
    listed = _Brave.model_validate_json(content).web if brave else None
    found = (listed or _Listed.model_validate_json(content)).results
    return [
        {"title": each.title, "url": each.url, "text": each.description if brave else each.content}
        for each in found
    ]


__all__ = ["Asking", "EgressRefusedError", "Page", "WebError", "WebPages"]
