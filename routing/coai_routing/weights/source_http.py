"""Fetch a file over HTTP into a partial file, resuming where an earlier try ended."""

from __future__ import annotations

import asyncio
import os
import re
import ssl
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

import httpx

from coai_routing.errors import ModelStoreError
from coai_routing.weights.store_files import in_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from coai_routing.weights.store_files import PartialFile

CHUNK = 1 << 18
"""Bytes that are written at a time."""
CERTIFICATE_VARIABLES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
"""Where users of company networks name their certificates, the most specific first."""

_TRANSIENT = {408, 425, 429, 500, 502, 503, 504}
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")
_UNREACHABLE = (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError)
_UNSATISFIED = re.compile(r"bytes \*/(\d+)")


class SourceError(ModelStoreError):
    """One source of a model's weights failed; the next one is tried."""


class AccessError(SourceError):
    """The source wants credentials or certificates that this process does not have."""


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """How patient a download is, in seconds."""

    connect: float = 5.0
    """Without a network, a source fails after this time."""
    stall: float = 30.0
    """No byte for so long means that the connection is dead."""
    retries: int = 3
    """More than so many tries in a row that bring nothing end a download."""
    retry_delay: float = 0.5
    """Before going on after a cut; doubled with each try that brings nothing."""


async def open_client(limits: HttpLimits) -> httpx.AsyncClient:
    """Return a client that honours the environment's proxies and certificates."""
    context = await in_thread(tls_context, os.environ)
    timeout = httpx.Timeout(limits.stall, connect=limits.connect)
    try:
        return httpx.AsyncClient(verify=context, timeout=timeout, follow_redirects=True)
    except (ImportError, ValueError, httpx.InvalidURL) as error:
        # For example a SOCKS proxy, for which httpx needs another package.
        raise SourceError(
            f"the proxy that the environment names cannot be used: {error}"
        ) from error


def tls_context(environ: Mapping[str, str]) -> ssl.SSLContext:
    """Return the certificates to trust: those that the environment names, else the usual ones."""
    for variable in CERTIFICATE_VARIABLES:
        if path := environ.get(variable):
            try:
                return ssl.create_default_context(cafile=path)
            except (OSError, ssl.SSLError) as error:
                raise SourceError(
                    f"{variable} names {path}, which cannot be read: {error}"
                ) from error
    context = httpx.create_ssl_context()
    # Those of the system, too, where a company's own authority is installed.
    context.load_default_certs()
    return context


async def download(
    client: httpx.AsyncClient,
    url: str,
    partial: PartialFile,
    *,
    size: int | None,
    most: int,
    limits: HttpLimits,
    on_bytes: Callable[[], None],
) -> None:
    """Append to `partial` what it lacks of the file at `url`.

    `size` is how long the file must be, where that is known, and `most` how many bytes are taken
    at all, whatever the server says or does not say of the length. A broken connection is taken up
    again where it broke; raises `SourceError` when nothing more comes.
    """
    fruitless = 0
    received = False
    while True:
        before = partial.size
        try:
            await _transfer(client, url, partial, size=size, most=most, on_bytes=on_bytes)
        except _Again as error:
            reason: Exception = error
        except (httpx.InvalidURL, httpx.TooManyRedirects, httpx.UnsupportedProtocol) as error:
            raise _failed(url, error, limits) from error
        except httpx.TransportError as error:
            reason = error
            if isinstance(error, _UNREACHABLE) and not received:
                raise _failed(url, error, limits) from error
        else:
            return
        if partial.size > before:
            received, fruitless = True, 0
        else:
            fruitless += 1
        if fruitless > limits.retries:
            raise _failed(url, reason, limits) from reason
        await asyncio.sleep(limits.retry_delay * 2**fruitless)


class _Again(Exception):  # noqa: N818 - a note from one transfer to the loop around it
    """The transfer has to be tried again, and why."""


async def _transfer(
    client: httpx.AsyncClient,
    url: str,
    partial: PartialFile,
    *,
    size: int | None,
    most: int,
    on_bytes: Callable[[], None],
) -> None:
    """Make one request; raises `_Again` if another one may bring more."""
    headers = {"Accept-Encoding": "identity"}
    if partial.size:
        headers["Range"] = f"bytes={partial.size}-"
        if partial.origin == _without_user(url) and partial.etag:
            headers["If-Range"] = partial.etag
    async with client.stream("GET", url, headers=headers) as response:
        offered = _offered(response, url, partial.size)
        if size is not None and offered is not None and offered != size:
            raise SourceError(f"{_host(url)} has {offered:,} bytes there instead of {size:,}")
        if offered is not None and offered > most:
            raise _too_much(url, most)
        size = offered if size is None else size
        if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            if partial.size == size:
                return
            await partial.restart()
            raise _Again("it has less than it once sent")
        if response.status_code == HTTPStatus.OK and partial.size:
            # The server knows no ranges, or has other content than when this file was begun.
            await partial.restart()
        if not partial.size:
            etag = response.headers.get("ETag", "")
            # Only a strong validator promises the same bytes (RFC 9110, section 13.1.5).
            partial.note_origin(_without_user(url), "" if etag.startswith("W/") else etag)
        await _receive(response, url, partial, most=min(size or most, most), on_bytes=on_bytes)
    if size is not None and partial.size < size:
        raise _Again(f"the answer ended after {partial.size:,} of {size:,} bytes")


async def _receive(
    response: httpx.Response,
    url: str,
    partial: PartialFile,
    *,
    most: int,
    on_bytes: Callable[[], None],
) -> None:
    """Append the body, unless that makes the file longer than `most` bytes."""
    pending = bytearray()
    try:
        async for piece in response.aiter_raw():
            pending += piece
            if partial.size + len(pending) > most:
                raise _too_much(url, most)
            if len(pending) >= CHUNK:
                await _flush(pending, partial, on_bytes)
    except httpx.TransportError:
        # What came before the connection broke is as good as any other.
        await _flush(pending, partial, on_bytes)
        raise
    await _flush(pending, partial, on_bytes)


def _too_much(url: str, most: int) -> SourceError:
    return SourceError(f"{_host(url)} sent more than {most:,} bytes")


async def _flush(pending: bytearray, partial: PartialFile, on_bytes: Callable[[], None]) -> None:
    await partial.append(bytes(pending))
    pending.clear()
    on_bytes()


def _offered(response: httpx.Response, url: str, have: int) -> int | None:
    """Return how long the whole file is, where the response says so.

    Raises for every status that brings no content.
    """
    status = response.status_code
    if status == HTTPStatus.PARTIAL_CONTENT:
        place = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if place is None or int(place[1]) != have:
            raise SourceError(f"{_host(url)} answers with another part than was asked for")
        return None if place[2] == "*" else int(place[2])
    if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and have:
        place = _UNSATISFIED.fullmatch(response.headers.get("Content-Range", ""))
        return int(place[1]) if place else None
    if status == HTTPStatus.OK:
        length = response.headers.get("Content-Length", "")
        return int(length) if length.isdecimal() else None
    text = f"{_host(url)} answers {status} {response.reason_phrase}".rstrip()
    if status in {401, 403, 407}:
        raise AccessError(text)
    if status in _TRANSIENT:
        raise _Again(text)
    raise SourceError(text)


def _failed(url: str, reason: Exception, limits: HttpLimits) -> SourceError:
    """Put a failed transfer into words, without the credentials that an address may hold."""
    host = _host(url)
    match reason:
        case httpx.ConnectTimeout():
            return SourceError(f"{host} did not answer within {limits.connect:g} s")
        case httpx.TimeoutException():
            return SourceError(f"{host} sent nothing for {limits.stall:g} s")
        case httpx.ProxyError():
            return AccessError(f"the proxy for {host} refused: {reason}")
        case httpx.ConnectError() if "CERTIFICATE" in str(reason):
            return AccessError(f"{host} has a certificate that is not trusted: {reason}")
        case _Again():
            return SourceError(str(reason) if host in str(reason) else f"{host}: {reason}")
        case _:
            return SourceError(f"{host}: {reason or type(reason).__name__}")


def _host(url: str) -> str:
    try:
        return httpx.URL(url).host or "no host"
    except httpx.InvalidURL:
        return "an invalid address"


def _without_user(url: str) -> str:
    return str(httpx.URL(url).copy_with(username="", password=""))
