"""The cells of a notebook: documents of their own to the editor, one program to the user.

What an editor opens one after the other under one notebook's path is taken for its cells in their
order; one that is put in between later on counts as the last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from coai_agents.source import Source

SCHEMES: Final = ("vscode-notebook-cell:", "vscode-notebook-cell-output:", "notebook-cell:")
"""How editors begin the URIs of cells; the fragment says which cell of the notebook it is."""


def cells_above(source: Source, documents: Iterable[Source]) -> str:
    """Return the text of the cells above a cell, in its language; nothing for what is no cell.

    `documents` are all open documents, the one opened first first.
    """
    if not source.uri.startswith(SCHEMES):
        return ""
    notebook = source.uri.partition("#")[0]
    above: list[str] = []
    for document in documents:
        if document.uri == source.uri:
            break
        same = document.uri.partition("#")[0] == notebook
        if same and document.language == source.language and document.text.strip():
            above.append(document.text.strip("\r\n") + "\n\n")
    return "".join(above).replace("\r\n", "\n")
