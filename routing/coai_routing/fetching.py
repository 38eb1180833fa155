"""Fetching a public file over HTTP into one of ours, by the same decision as all that leaves.

What leaves is the file's address alone. It is fetched as weights are: a connection that breaks is
taken up again, and a file that is longer than it may be is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from coai_routing.own_files import own_folder
from coai_routing.weights.source_http import HttpLimits, download, open_client
from coai_routing.weights.store_files import PartialFile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from coai_routing.privacy.egress import Egress


async def fetch(
    url: str,
    to: Path,
    *,
    egress: Egress,
    most: int,
    on_bytes: Callable[[], None] = lambda: None,
    limits: HttpLimits | None = None,
) -> None:
    """Fetch a file of at most so many bytes, in place of what is there.

    Raises `EgressRefusedError` where nothing may leave, `ModelStoreError` where nothing comes.
    """
    egress.check(None, url, provider="")
    patient = limits or HttpLimits()
    own_folder(to.parent)
    partial = PartialFile(to)
    await partial.open()
    try:
        if partial.size:
            await partial.restart()
        async with await open_client(patient) as client:
            await download(
                client, url, partial, size=None, most=most, limits=patient, on_bytes=on_bytes
            )
    finally:
        await partial.close()
