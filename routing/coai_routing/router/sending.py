"""The innermost wrapper around the pool: the last egress check, and the departure log."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from coai_routing.privacy.egress import is_loopback
from coai_routing.router.calls import departure_of, logged
from coai_routing.router.model_call import Piece

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from coai_routing.pool.deployments import Deployments
    from coai_routing.privacy.egress import Egress
    from coai_routing.router.calls import DepartureLog
    from coai_routing.router.model_call import ModelCall

SLOWNESS: Final = 4.0
"""How many times the longest latency of its tier a candidate may take for its first word before
that counts as a failure of its endpoint."""


class Sending:
    """Asks the pool for one deployment, once."""

    def __init__(
        self,
        deployments: Deployments,
        *,
        egress: Callable[[], Egress],
        departures: DepartureLog | None,
    ) -> None:
        self._deployments = deployments
        self._egress = egress
        self._departures = departures

    async def __call__(self, call: ModelCall) -> AsyncGenerator[Piece]:
        """Ask; what may not leave raises EgressRefusedError and is not logged."""
        deployment, question = call.deployment, call.question
        seconds = call.deadline - asyncio.get_running_loop().time()
        request = question.request.model_copy(
            update={"timeout": max(0.001, seconds), "model": deployment.model or None}
        )
        # The provider checks this again when the bytes go; here it keeps the log honest too.
        self._egress().check(request, deployment.base_url, provider=deployment.endpoint)
        departures = self._departures

        async def log() -> None:
            if departures is not None and not is_loopback(deployment.base_url):
                departure = departure_of(
                    request,
                    base_url=deployment.base_url,
                    endpoint=deployment.endpoint,
                    model=deployment.model,
                    trusted=deployment.local,
                )
                await logged(departures, departure)

        longest = deployment.longest_ms
        stream = self._deployments.pool.stream(
            self._deployments.place_of(deployment),
            request,
            before=log,
            longest_wait_ms=None if longest is None else SLOWNESS * longest,
        )
        async with aclosing(stream) as deltas:
            async for delta in deltas:
                yield Piece(delta, deployment)
