"""Signing in with a code on another screen: OAuth 2.0 Device Authorization Grant (RFC 8628)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from coai_routing.credentials.keys import CredentialError, checked
from coai_routing.privacy.egress import is_loopback
from coai_routing.providers.replies.listings import fields

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import httpx

    from coai_routing.privacy.egress import Egress
    from coai_routing.registry.vendors import DeviceFlow

GRANT: Final = "urn:ietf:params:oauth:grant-type:device_code"
SECONDS: Final = 15.0
"""How long one answer of the server may take."""
_OK: Final = 200
INTERVAL: Final = 5.0
"""Between questions, where the server names none (section 3.2), and more each time that it says
`slow_down` (section 3.5)."""
MOST_SECONDS: Final = 1_800.0
"""How long a code is waited for, however long the server says that it is good."""


@dataclass(frozen=True, slots=True)
class Code:
    """What a user is to enter, and where."""

    user_code: str
    address: str


async def sign_in(
    flow: DeviceFlow,
    egress: Egress,
    show: Callable[[Code], None],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> str:
    """Return the token that a user allowed on another screen.

    Raises `CredentialError` where it was refused, ran out, or the server does not speak so, and
    `EgressRefusedError` where nothing may leave this machine.
    """
    import httpx  # noqa: PLC0415 - only who signs in so

    for url in (flow.authorize_url, flow.token_url):
        egress.check(None, url, provider="")
        if urlsplit(url).scheme != "https" and not is_loopback(url):
            raise CredentialError("The vendor's address for signing in is not secure.")
    async with httpx.AsyncClient(timeout=SECONDS, follow_redirects=False) as client:
        wish = {"client_id": flow.client_id, **({"scope": flow.scope} if flow.scope else {})}
        status, said = await _posted(client, flow.authorize_url, wish)
        device, user = said.get("device_code"), said.get("user_code")
        address = said.get("verification_uri_complete") or said.get("verification_uri")
        if status != _OK or not all(
            isinstance(each, str) and each.isprintable() for each in (device, user, address)
        ):
            raise _unexpected(status, said)
        show(Code(str(user), str(address)))
        interval = _seconds(said.get("interval"), INTERVAL)
        left = min(_seconds(said.get("expires_in"), MOST_SECONDS), MOST_SECONDS)
        asked = {
            "grant_type": GRANT,
            "device_code": str(device),
            "client_id": flow.client_id,
        }
        while left > 0:
            await sleep(interval)
            left -= interval
            status, said = await _posted(client, flow.token_url, asked)
            if status == _OK:
                return checked(str(said.get("access_token") or ""))
            if said.get("error") == "slow_down":
                interval += INTERVAL
            elif said.get("error") != "authorization_pending":
                raise _unexpected(status, said)
    raise CredentialError("The code has run out.", remedy="Sign in again.")


async def _posted(
    client: httpx.AsyncClient, url: str, form: dict[str, str]
) -> tuple[int, dict[str, Any]]:
    import httpx  # noqa: PLC0415 - as above

    try:
        answer = await client.post(url, data=form, headers={"Accept": "application/json"})
    except httpx.HTTPError as error:
        raise CredentialError(
            f"{urlsplit(url).hostname} does not answer ({type(error).__name__}).",
            remedy="Check the network and try again.",
        ) from None
    try:
        return answer.status_code, fields(answer.json())
    except ValueError:
        return answer.status_code, {}


def _seconds(said: object, otherwise: float) -> float:
    return float(said) if isinstance(said, int | float) and said > 0 else otherwise


def _unexpected(status: int, said: dict[str, Any]) -> CredentialError:
    why = {
        "access_denied": "It was refused on the other screen.",
        "expired_token": "The code has run out.",
    }.get(str(said.get("error")), f"The vendor answers with status {status}, and no token.")
    return CredentialError(why, remedy="Sign in again.")
