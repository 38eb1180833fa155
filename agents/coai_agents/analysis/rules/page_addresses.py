"""Where the page of a rule is, without what it takes to write it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import platformdirs

from coai_agents.analysis.rules.rules import OwnConcept, concept_of

if TYPE_CHECKING:
    from pathlib import Path


def pages_folder() -> Path:
    """Return the folder of the rules' pages, which a finding's code leads to."""
    return platformdirs.user_cache_path("coai", appauthor=False) / "rules"


def page_of(rule: str) -> str:
    """Return the address of a rule's page: a file here, or what a rule of the user's own names."""
    concept = concept_of(rule)
    if isinstance(concept, OwnConcept) and concept.url.startswith(("https://", "http://")):
        return concept.url
    return (pages_folder() / f"{rule}.md").as_uri()
