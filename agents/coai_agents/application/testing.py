"""The user's own test command, for doors: checked, and run as if it were typed there."""

from __future__ import annotations

from coai_agents.tools.users_command import TestCommandError, run_command, words_of

__all__ = ["TestCommandError", "run_command", "words_of"]
