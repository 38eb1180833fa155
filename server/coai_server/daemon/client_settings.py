"""What a client has said of its settings, at its start and since.

A client says them up to three times: as `initializationOptions`, as an answer to
`workspace/configuration`, and pushed with `workspace/didChangeConfiguration`. Many know only one
of these places: Neovim answers `[null]`, Eglot pushes `{}`. So what is said later is laid over what
was said at the start, setting by setting, and null, or anything else that is no object, means that
there is nothing to add.

A client whose answer speaks of every setting that it gave at its start keeps them all in one
place, as VS Code does. What its later answers leave out was taken away by the user.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from coai_routing.settings.loading import speaks_of_all

if TYPE_CHECKING:
    from collections.abc import Mapping

SECTION: Final = "coai"
"""Where editors keep our settings."""


class ClientSettings:
    """The settings of one client; anything may be given, and only objects count."""

    def __init__(self, options: object = None) -> None:
        """Take what `initializationOptions` said."""
        self._start = said(options) or {}
        self._told: Mapping[str, Any] | None = None
        self._tells_all = False

    def tell(self, settings: object) -> None:
        """Take what the client says now, in place of what it said since its start."""
        self._told = said(settings)
        if self._told is not None and not self._tells_all:
            self._tells_all = speaks_of_all(self._told, self._start)

    @property
    def layers(self) -> tuple[Mapping[str, Any], ...]:
        """What counts, the later over the earlier."""
        if self._told is None:
            return (self._start,)
        return (self._told,) if self._tells_all else (self._start, self._told)


def said(settings: object) -> Mapping[str, Any] | None:
    """Return the settings that a client named, within a section of our name or without one.

    None if it said nothing: null, an empty list, or a section that is null.
    """
    section = cast("dict[str, Any]", settings) if isinstance(settings, dict) else None
    if section is not None and SECTION in section:
        return said(section[SECTION])
    return section
