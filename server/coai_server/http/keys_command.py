"""`coai http token` and `coai http keys create|list|revoke`."""

from __future__ import annotations

import argparse
import sqlite3
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from coai_server.http.config import Config, SetupError
from coai_server.http.security.keys import Keys, keys_file
from coai_server.http.security.own_token import own_token
from coai_server.http.security.principals import OWN_TENANT, Role

if TYPE_CHECKING:
    from collections.abc import Sequence

ROLES: Final = {role.name.lower(): role for role in Role}


def main(arguments: Sequence[str]) -> int:
    """Do what is said; raises `CoaiError`."""
    options = _parser().parse_args(arguments)
    state = Config(roots=()).state
    try:
        if options.command == "token":
            sys.stdout.write(f"{own_token(state)}\n")
            return 0
        keys = Keys(keys_file(state))
    except (OSError, sqlite3.Error) as error:
        raise SetupError(
            f"The keys in {state} cannot be used: {error}.",
            remedy="See that the folder is yours, can be written to, and its disk has room.",
        ) from error
    try:
        options.do(keys, options)
    finally:
        keys.close()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="coai http", allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("token", help="show your own token")
    keys = commands.add_parser("keys", help="keys for others").add_subparsers(required=True)
    create = keys.add_parser("create", help="make a key, and show it this once")
    add: Any = create.add_argument
    add("name", help="what it is called in lists and logs")
    add(
        "--role",
        choices=list(ROLES),
        default="viewer",
        help="viewer: sees; runner: asks models and runs; admin: sees who asked what",
    )
    add(
        "--tenant",
        default=OWN_TENANT,
        metavar="NAME",
        help="whose runs it sees: yours unless given; tenants see nothing of one another",
    )
    add(
        "--folder",
        type=Path,
        action="append",
        metavar="DIR",
        help="a folder that it may have looked at, all that are served unless given",
    )
    add("--days", type=float, metavar="N", help="it ends after so many days")
    create.set_defaults(do=_create)
    keys.add_parser("list", help="list keys").set_defaults(do=_list)
    revoke = keys.add_parser("revoke", help="take a key back; it counts no more at once")
    revoke.add_argument("name", help="the key's name, or how it begins")
    revoke.set_defaults(do=_revoke)
    return parser


def _create(keys: Keys, options: argparse.Namespace) -> None:
    folders = None
    if options.folder is not None:
        folders = tuple(each.resolve() for each in options.folder)
    key, row = keys.create(
        options.name,
        ROLES[options.role],
        tenant=options.tenant,
        folders=folders,
        days=options.days,
    )
    sys.stdout.write(f"{key}\n")
    sys.stderr.write(f"The key {row.name} ({options.role}) is shown this once.\n")


def _list(keys: Keys, options: argparse.Namespace) -> None:
    del options
    for row in keys.rows():
        where = "all folders" if row.folders is None else ", ".join(map(str, row.folders))
        ends = "revoked" if row.revoked else f"until {row.expires[:10]}" if row.expires else ""
        said = (row.id, row.role.name.lower(), row.tenant, row.created[:10], ends, where, row.name)
        sys.stdout.write("  ".join(said) + "\n")


def _revoke(keys: Keys, options: argparse.Namespace) -> None:
    for row in keys.revoke(options.name):
        sys.stdout.write(f"{row.id}  {row.name}: revoked\n")
