"""`coai auth`: which vendors' keys are set, and where. Keys are never written nor shown."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from coai_server.cli.console import console, write_json
from coai_server.cli.settings import load_settings


def auth(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON, for scripts.")] = False,
) -> None:
    """Say for each vendor whether a key is set, and where it comes from.

    Keys are set in the environment, or as `cloud.NAME.api_key` in the user's settings file.
    """
    from coai_routing.pool.endpoints import key_of  # noqa: PLC0415 (not for `--help`)
    from coai_routing.registry.vendors import builtin_vendors  # noqa: PLC0415 (as above)

    settings = load_settings(Path.cwd()).settings
    vendors = settings.cloud.by_name()
    sources = {name: key_of(name, endpoint)[1] for name, endpoint in vendors.items()}
    if as_json:
        write_json(
            {
                name: {"set": bool(source), "source": source or None}
                for name, source in sources.items()
            }
        )
        return
    to = console()
    for name, source in sources.items():
        variable = builtin_vendors()[name].variable
        if source:
            to.print(f"{name}: set, in the {source}.")
        else:
            to.print(f"{name}: not set. Set {variable} in the environment.")
    if not settings.routing.allow_cloud:
        to.print("No key is used as long as `routing.allow_cloud` is off.")
