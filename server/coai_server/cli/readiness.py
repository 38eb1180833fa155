"""Waiting until the daemon's model can answer, and saying clearly why it cannot."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from coai_routing.errors import CoaiError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from coai_server.editor import Editor

LOAD_SECONDS: Final = 120.0
"""How long a model may take to load; on a slow disk it is a minute for a large one."""

SETTLE_SECONDS: Final = 3.0
"""How long a state that means "no" has to last. Right after its start the daemon does not know of
its engine yet, and an engine that failed is started again."""

SPEED_SECONDS: Final = 10.0
"""How long to wait for the engine's own measurement, which it makes once on each machine: until it
is done a completion shares the processor with it, and the prompt's length is a guess."""

_POLL_SECONDS: Final = 0.1


class NotReadyError(CoaiError):
    """No model can serve completions, or none was ready in time."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The model that answers."""

    backend: str
    model: str
    local: bool
    why: str
    waited_ms: float


async def wait_until_ready(
    editor: Editor,
    *,
    seconds: float = LOAD_SECONDS,
    settle: float = SETTLE_SECONDS,
    speed: float = 0.0,
    watch: Callable[[str], None] = lambda _: None,
) -> Ready:
    """Ask the daemon for its status until a model is ready; raises `NotReadyError`.

    All times are in seconds: `settle` is how long a "no" has to last, `speed` how much longer to
    wait for the model's speed to be known. `watch` is told what is being waited for.
    """
    started = time.monotonic()
    ready_since: float | None = None
    refused_since: float | None = None
    while True:
        status = await editor.status()
        now = time.monotonic()
        if status["phase"] == "ready" and status["backend"] is not None:
            ready_since = now if ready_since is None else ready_since
            if now - ready_since >= speed or status["candidates"][0]["speed"] is not None:
                return Ready(
                    backend=status["backend"],
                    model=status["model"],
                    local=status["local"],
                    why=status["detail"],
                    waited_ms=(now - started) * 1000,
                )
            watch("Measuring how fast it is.")
            await asyncio.sleep(_POLL_SECONDS)
            continue
        watch(status["detail"])
        if status["missingModel"] is not None:
            raise _refusal(status)
        if status["phase"] == "starting":
            refused_since = None
        elif refused_since is None:
            refused_since = now
        if refused_since is not None and now - refused_since >= settle:
            raise _refusal(status)
        if now - started >= seconds:
            raise NotReadyError(
                f"No model was ready within {seconds:g} s. {status['detail']}".rstrip(),
                remedy=status["remedy"] or "Run `coai doctor`.",
            )
        await asyncio.sleep(_POLL_SECONDS)


def _refusal(status: Mapping[str, Any]) -> NotReadyError:
    return NotReadyError(
        f"No model can serve completions. {status['detail']}".rstrip(),
        remedy=status["remedy"] or "Run `coai doctor`.",
    )
