"""The agents that a session can be with: its modes, and as many slash commands for one prompt."""

from __future__ import annotations

from typing import Final, NamedTuple

from acp.schema import (
    AvailableCommand,
    AvailableCommandInput,
    SessionMode,
    SessionModeState,
    UnstructuredCommandInput,
)


class Mode(NamedTuple):
    """An agent."""

    id: str
    title: str
    about: str
    hint: str
    """What to write behind its slash command."""


MODES: Final = (
    Mode(
        "ask", "Ask", "Who knows about it answers: facts, and a model's words, marked.", "QUESTION"
    ),
    Mode("explain", "Explain", "What code does, or why a program failed.", "FILE:SYMBOL or TRACE"),
    Mode("review", "Review", "Comments on what changed since a revision.", "[FILE] [since REV]"),
    Mode("fix", "Fix", "Findings and errors mended, each change asked about.", "FILE:LINE"),
    Mode("document", "Document", "Comments for functions that have none.", "FILE:SYMBOL"),
    Mode("security", "Security", "What static analysis finds, and on what way.", "[FILE]"),
    Mode("performance", "Performance", "What is slow by its shape.", "FILE"),
    Mode("architecture", "Architecture", "Modules, layers, cycles, hot spots.", "nothing"),
    Mode("run", "Workflow", "Several agents that work to a plan.", "WORKFLOW INPUT"),
)

DEFAULT: Final = MODES[0].id

ABOUT_FILES: Final = frozenset({"explain", "fix", "document", "performance"})
"""Agents that need a file, and take the last one where none is named."""

NAMES: Final = tuple(mode.id for mode in MODES)


def state(current: str) -> SessionModeState:
    """Return the modes as a client is told them."""
    return SessionModeState(
        current_mode_id=current,
        available_modes=[
            SessionMode(id=each.id, name=each.title, description=each.about) for each in MODES
        ],
    )


def commands() -> list[AvailableCommand]:
    """Return the slash commands as a client is told them."""
    return [
        AvailableCommand(
            name=each.id,
            description=each.about,
            input=AvailableCommandInput(root=UnstructuredCommandInput(hint=each.hint)),
        )
        for each in MODES
    ]
