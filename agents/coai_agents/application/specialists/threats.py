"""Threat models in words: a model of a folder in, its page, its drawing or a summary out."""

from __future__ import annotations

from coai_agents.specialists.security.threats.drawing import as_markdown, mermaid
from coai_agents.specialists.security.threats.wording import worded

__all__ = ["as_markdown", "mermaid", "worded"]
