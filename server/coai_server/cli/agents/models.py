"""A model for a command: whichever of the user's answers first, or the reason why none does."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from coai_server.cli.console import notices

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from coai_agents.plugins.finding import Plugins
    from coai_agents.specialists.asking import Asker
    from coai_routing.errors import CoaiError
    from coai_routing.router.interface import Answers


@asynccontextmanager
async def asker(
    path: Path,
    *,
    agent: str,
    wanted: bool,
    alias: str | None,
    seconds: float = 120.0,
    plugins: Plugins | None = None,
) -> AsyncGenerator[Asker]:
    """Give what specialists ask models by, with the settings of a file's folder, or a folder's.

    Where the user's daemon runs, its models answer. Without a wish for a model nothing is started,
    looked for or loaded. What the answer takes is kept as the `agent`'s: see `coai rate`.

    Model servers that `plugins` speak to are asked, too, and then by this process's own models: the
    daemon knows no plug-in.
    """
    from coai_agents.specialists.asking import Asker, Wishes  # noqa: PLC0415 (not for `--help`)

    if not wanted:
        yield Asker()
        return
    from coai_agents.application.models import loaded_models, servers_of  # noqa: PLC0415 (only with a model)
    from coai_agents.application.specialists.standing import metered  # noqa: PLC0415 (only with a model)
    from coai_server.cli.settings import load_settings  # noqa: PLC0415 (as above)
    from coai_server.shared.shared_router import SharedRouter  # noqa: PLC0415 (only with a model)

    folder = _folder_of(path)
    settings = await asyncio.to_thread(lambda: load_settings(folder).settings)
    to = notices()

    def tell(problem: CoaiError) -> None:
        to.print(f"{problem}", soft_wrap=True)

    others = () if plugins is None else servers_of(plugins, settings, tell)
    async with AsyncExitStack() as stack:

        async def own() -> Answers:
            models, _ = await stack.enter_async_context(loaded_models(settings, others))
            return await models.routing.router()

        router: Answers
        if others:
            router = await own()
        else:
            router = shared = SharedRouter(folder, own, lambda why: to.print(why, soft_wrap=True))
            stack.callback(shared.close)
            await shared.open()
        wishes = Wishes(alias=alias, seconds=seconds)
        with metered(agent, settings, lambda problem: to.print(f"{problem}")) as meter:
            yield Asker(router, wishes=wishes, meter=meter)


def _folder_of(path: Path) -> Path:
    whole = path.absolute()
    return whole if whole.is_dir() else whole.parent
