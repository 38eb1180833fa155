"""Templates into pages: everything that is shown is escaped, and cannot mislead who reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import Response

from coai_server.terminal import printable

POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""What a browser may load and run: our own files, and nothing that stands in a page."""
HEADERS: Final = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
    # With `no-referrer`, browsers would name no origin for our own forms either.
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
}


def _shown(value: object) -> object:
    """Return text without what changes how other text is read; markup of ours as it is."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


_TEMPLATES: Final = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=True,
    undefined=StrictUndefined,
    finalize=_shown,
    trim_blocks=True,
    lstrip_blocks=True,
)


def rendered(name: str, *, status: int = 200, **values: Any) -> Response:  # noqa: ANN401 - what a template shows
    """Return a page."""
    text = _TEMPLATES.get_template(name).render(values)
    return Response(text, status, HEADERS, media_type="text/html")
