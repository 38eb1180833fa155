"""`coai auth`: vendors' keys, kept and forgotten, and where each comes from. None is ever shown."""

from __future__ import annotations

import asyncio
import getpass
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coai_routing.errors import (
    AuthenticationError,
    CoaiError,
    EgressRefusedError,
    ProviderError,
    ProviderTimeoutError,
)
from coai_server.cli.console import console, notices, run, write_json
from coai_server.cli.settings import load_settings
from coai_server.terminal import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coai_routing.registry.vendors import Vendor
    from coai_routing.settings.schema import Settings

AsJson = Annotated[bool, typer.Option("--json", help="Write JSON, for scripts.")]
Name = Annotated[str, typer.Argument(metavar="VENDOR", show_default=False)]

commands = typer.Typer(help="Keep vendors' keys, forget them, and say where each comes from.")


@commands.callback(invoke_without_command=True)
def auth(context: typer.Context, *, as_json: AsJson = False) -> None:
    """Without a command, say of each vendor whether a key is set."""
    if context.invoked_subcommand is None:
        status(as_json=as_json)


@commands.command()
def status(*, as_json: AsJson = False) -> None:
    """Say for each vendor whether a key is set, and where it comes from.

    A key of the user's settings counts before one in the environment, and that before one that
    `coai auth login` keeps.
    """
    from coai_routing.credentials.keys import users_keys  # noqa: PLC0415 (not for `--help`)
    from coai_routing.pool.endpoints import key_of  # noqa: PLC0415 (as above)
    from coai_routing.registry.vendors import builtin_vendors  # noqa: PLC0415 (as above)

    settings = load_settings(Path.cwd()).settings
    found: dict[str, dict[str, object]] = {}
    for name, endpoint in settings.cloud.by_name().items():
        key, source = key_of(name, endpoint)
        kept = users_keys().where(name)
        hidden = kept if kept is not None and source != kept else None
        found[name] = {"set": key is not None, "source": source or None, "hides": hidden}
    if as_json:
        write_json(found)
        return
    to = console()
    for name, each in found.items():
        source, variable = each["source"], builtin_vendors()[name].variable
        if source and not each["set"]:
            to.print(f"{name}: kept in the {source}, which is locked.")
        elif source:
            more = f" It counts before the one in the {each['hides']}." if each["hides"] else ""
            to.print(f"{name}: set, in the {source}.{more}")
        else:
            to.print(
                f"{name}: not set. `coai auth login {name}`, or {variable} in the environment."
            )
    if not settings.routing.allow_cloud:
        to.print("No key is used as long as `routing.allow_cloud` is off.")


@commands.command()
def login(
    vendor: Name,
    *,
    device: Annotated[
        bool, typer.Option("--device", help="Sign in with a code on another screen.")
    ] = False,
    check: Annotated[
        bool, typer.Option(help="Ask the vendor for its models, which tries the key.")
    ] = True,
) -> None:
    """Keep a vendor's key: in the system's key store, or in an encrypted file.

    The key is asked for, or read from standard input where that is no terminal; it is no argument,
    because other users see those.
    """
    from coai_routing.credentials.keys import checked, users_keys  # noqa: PLC0415 (as above)

    settings = load_settings(Path.cwd()).settings
    known = _known(vendor)
    _require_extra()
    key = run(_by_code(known, settings)) if device else checked(_asked(known))
    if check:
        for line in run(_tried(known, key, settings)):
            notices().print(one_line(line))
    where = users_keys().put(vendor, key, _passphrase)
    console().print(f"The key of {known.title} is kept in the {where}.")
    if not settings.routing.allow_cloud:
        console().print("It is not used as long as `routing.allow_cloud` is off.")


@commands.command()
def logout(vendor: Name) -> None:
    """Forget a vendor's key. Exit code 1 if none was kept."""
    from coai_routing.credentials.keys import users_keys  # noqa: PLC0415 (as above)

    known = _known(vendor)
    if not users_keys().remove(vendor, _passphrase):
        console().print(f"No key of {known.title} is kept.")
        raise typer.Exit(1)
    console().print(f"The key of {known.title} is forgotten here; {known.keys} ends it.")


def _known(name: str) -> Vendor:
    from coai_routing.registry.vendors import builtin_vendors  # noqa: PLC0415 (as above)

    vendors = builtin_vendors()
    if name not in vendors:
        # It may be a key that was given in the wrong place, so it is not repeated.
        raise CoaiError(
            "There is no vendor of this name.", remedy=f"Name one of {', '.join(vendors)}."
        )
    return vendors[name]


def _require_extra() -> None:
    if not all(find_spec(name) for name in ("cryptography", "keyring")):
        raise CoaiError(
            "Keeping keys needs two packages more.",
            remedy="Install them: pip install 'coai[keys]'; or put the key into the environment.",
        )


def _asked(vendor: Vendor) -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().strip()
    notices().print(f"{vendor.keys} makes keys of {vendor.title}.")
    return getpass.getpass("Key: ").strip()


def _passphrase(question: str) -> str:
    return getpass.getpass(question) if sys.stdin.isatty() else ""


async def _by_code(vendor: Vendor, settings: Settings) -> str:
    from coai_routing.credentials.device_flow import Code, sign_in  # noqa: PLC0415 (as above)
    from coai_routing.wiring.configured_routing import routing_egress  # noqa: PLC0415 (as above)

    if vendor.device is None:
        raise CoaiError(
            f"{vendor.title} has no signing in by a code.", remedy="Sign in without `--device`."
        )

    def show(code: Code) -> None:
        notices().print(f"Enter {one_line(code.user_code)} at {one_line(code.address)}")

    return await sign_in(vendor.device, routing_egress(settings), show)


async def _tried(vendor: Vendor, key: str, settings: Settings) -> list[str]:
    """Try a key on the vendor's list of models; return what the list says of ours."""
    from pydantic import SecretStr  # noqa: PLC0415 (as above)

    from coai_routing.pool.endpoints import cloud_places  # noqa: PLC0415 (as above)
    from coai_routing.pool.pool import ModelPool  # noqa: PLC0415 (as above)

    endpoints = settings.cloud.by_name()
    if vendor.name not in endpoints:
        return [f"It is not tried: set `cloud.vendors.{vendor.name}.url` to the vendor's address."]
    given = endpoints[vendor.name].model_copy(update={"api_key": SecretStr(key), "enabled": True})
    place = next(
        each for each in cloud_places(settings, given={vendor.name: given})
        if each.endpoint == vendor.name
    )  # fmt: skip
    pool = ModelPool()
    try:
        try:
            listed = await pool.provider(place).models()
        except ProviderTimeoutError:
            # The first time its client is imported, which a busy machine takes seconds for.
            listed = await pool.provider(place).models()
        offered = [each.name for each in listed]
    except AuthenticationError:
        raise
    except EgressRefusedError:
        return ["It is not tried, because nothing may leave this machine."]
    except ProviderError as error:
        return [f"It could not be tried: {error.message}"]
    finally:
        await pool.aclose()
    return list(await asyncio.to_thread(lambda: list(_replaced(vendor.name, offered))))


def _replaced(vendor: str, offered: list[str]) -> Iterator[str]:
    """Yield a line for each model of the registry that the vendor has no more."""
    from coai_routing.registry.generations import replacements  # noqa: PLC0415 (as above)
    from coai_routing.wiring.configured_routing import registry  # noqa: PLC0415 (as above)

    wanted = {
        placement.model: model.alias
        for model in registry().models
        for placement in model.deployments
        if placement.endpoint == vendor and placement.model
    }
    for gone, after in replacements(wanted, offered).items():
        took = f"{after} took its place: name it in `models.toml`." if after else "Nothing did."
        yield f"{gone} ({wanted[gone]}) is gone from the vendor's list. {took}"
