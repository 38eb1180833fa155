"""Keys of cloud vendors that the editor keeps for its user: `coai.signIn`, `coai.signOut`.

The editor has them in the system's key store and hands them over when it starts the server. Here
they are in memory only, and count as the editor's own settings do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from coai_routing.errors import CoaiError

if TYPE_CHECKING:
    from coai_server.lsp.server import Server

MOST_CHARACTERS: Final = 4096
"""A key that is longer is none."""


class SignInError(CoaiError):
    """A key cannot be taken."""


def register(server: Server) -> None:
    """Register the commands about vendors."""

    @server.command("coai.vendors")
    def vendors() -> list[dict[str, Any]]:
        return describe(server)

    @server.command("coai.signIn")
    async def sign_in(vendor: str, key: str) -> list[dict[str, Any]]:
        bare = key.strip()
        if not bare or len(bare) > MOST_CHARACTERS or not bare.isprintable():
            # What was given may be a key all the same, so it is not repeated.
            raise SignInError("This is no key.", remedy="Copy it anew from the vendor's page.")
        await server.services.use_key(_known(server, vendor), bare)
        return describe(server)

    @server.command("coai.signOut")
    async def sign_out(vendor: str) -> list[dict[str, Any]]:
        await server.services.use_key(_known(server, vendor), None)
        return describe(server)


def describe(server: Server) -> list[dict[str, Any]]:
    """Return each vendor with where its key comes from, and whether it may be used."""
    from coai_routing.pool.endpoints import key_of  # noqa: PLC0415 - nothing at the start needs it
    from coai_routing.registry.vendors import builtin_vendors  # noqa: PLC0415 - as above

    services = server.services
    settings = services.settings
    return [
        {
            "name": name,
            "variable": builtin_vendors()[name].variable,
            "source": "editor" if services.has_key(name) else key_of(name, endpoint)[1],
            "enabled": endpoint.enabled,
            "allowed": settings.routing.allow_cloud and not settings.privacy.mode,
        }
        for name, endpoint in settings.cloud.by_name().items()
    ]


def _known(server: Server, vendor: str) -> str:
    vendors = server.services.settings.cloud.by_name()
    if vendor not in vendors:
        raise SignInError(
            "There is no vendor of this name.", remedy=f"Name one of {', '.join(vendors)}."
        )
    return vendor
