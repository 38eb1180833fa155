"""Why a tool could not be used."""

from __future__ import annotations

from coai_routing.errors import CoaiError


class ToolError(CoaiError):
    """A tool cannot do what it was asked for; asking the same again changes nothing."""
