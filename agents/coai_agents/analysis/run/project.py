"""Values between files: which functions of others a file calls, and what is known of them.

`Project` knows the summaries of files (`dataflow/linking/outline.py`) by their paths, however these
were come by: an audit has those of all files that it looks at, the process that analyses documents
has those that were asked for.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.dataflow.linking.outline import FunctionOutline, function_to_document
from coai_agents.analysis.run.resolution import FAMILIES, Here, targets
from coai_agents.source import normal_language

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from coai_agents.analysis.dataflow.linking.outline import Outline
    from coai_agents.analysis.findings.findings import Analysis
    from coai_agents.analysis.run.resolution import Index

MOST_HOPS: Final = 4
"""So many files hand a name on to one another at most."""


@dataclass(frozen=True, slots=True)
class Table:
    """The summaries that one file needs, by the paths that it has for the functions."""

    functions: Mapping[str, FunctionOutline]

    def function(self, path: str) -> FunctionOutline | None:
        """Return the summary of a function, None if nothing is known of it."""
        return self.functions.get(path)

    @property
    def digest(self) -> str:
        """What changes whenever what is known of one of them does."""
        told = {path: function_to_document(each) for path, each in self.functions.items()}
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


class Links:
    """The functions of other files as one file sees them."""

    def __init__(
        self,
        here: Here,
        index: Index,
        outline_of: Callable[[str], Outline | None],
        handed: dict[tuple[str, str], tuple[FunctionOutline, str, str] | None],
    ) -> None:
        self._here = here
        self._index = index
        self._outline_of = outline_of
        self._handed = handed
        self._known: dict[str, tuple[FunctionOutline, str, str] | None] = {}

    def function(self, path: str) -> FunctionOutline | None:
        """Return the summary of a function, None if nothing is known of it."""
        found = self.found(path)
        return None if found is None else found[0]

    def found(self, path: str) -> tuple[FunctionOutline, str, str] | None:
        """Return the summary of a function, the file that has it, and its name there."""
        if path not in self._known:
            self._known[path] = self._look(path, self._here, 0)
        return self._known[path]

    def _look(self, path: str, here: Here, hops: int) -> tuple[FunctionOutline, str, str] | None:
        if hops > MOST_HOPS:
            return None
        for file, name in targets(path, here, self._index):
            outline = self._outline_of(file)
            if outline is None:
                continue
            for each in _names(name, outline):
                known = outline.functions.get(each)
                if known is not None:
                    return known, file, each
            further = self._further(name, outline, Here(file, here.family, ""), hops)
            if further is not None:
                return further
        return None

    def _further(
        self, name: str, outline: Outline, there: Here, hops: int
    ) -> tuple[FunctionOutline, str, str] | None:
        """Return what another file has of a name that it hands on."""
        key = there.path, name
        if key not in self._handed:
            self._handed[key] = None
            for each in _handed_on(name, outline):
                found = self._look(each, there, hops + 1)
                if found is not None:
                    self._handed[key] = found
                    break
        return self._handed[key]

    def table(self, analysis: Analysis) -> tuple[Table, tuple[str, ...]]:
        """Return the summaries that may change what is found in a file, and whose they are.

        Nothing is in it where all that the file calls of others tells nothing new.
        """
        outline = analysis.outline
        functions: dict[str, FunctionOutline] = {}
        files: dict[str, None] = {}
        flows = any(each.path or each.confidence.rank > 1 for each in analysis.findings)
        calls: Mapping[str, bool] = {} if outline is None else outline.calls
        for path, passed in calls.items():
            found = self.found(path)
            if found is None:
                continue
            known, file, name = found
            files[file] = None
            methods = self._methods_of(known.type, file) if known.type else {}
            if not ((known.reaches and passed) or known.brings or methods or flows):
                continue
            functions[path] = known
            # What is done with the object that it returns is a call of the same file's.
            start = path.removesuffix(name)
            functions |= {f"{start}{each}": method for each, method in methods.items()}
        return Table(functions), tuple(files)

    def _methods_of(self, class_: str, file: str) -> dict[str, FunctionOutline]:
        """Return the methods of a class in which a value may do harm, or come from outside."""
        outline = self._outline_of(file)
        return {
            name: each
            for name, each in (outline.functions.items() if outline else ())
            if name.startswith(f"{class_}.") and (each.reaches or each.brings)
        }


def _names(name: str, outline: Outline) -> tuple[str, ...]:
    """Return what a name may be called in the file: a default export has its own."""
    default = outline.bound.get("default", "default")
    first, dot, rest = name.partition(".")
    own = outline.bound.get(first, first)
    return (name, f"{default}.{name}" if name else default, f"{own}{dot}{rest}")


def _handed_on(name: str, outline: Outline) -> list[str]:
    """Return the paths that a file has for a name that it hands on."""
    first, dot, rest = (name or "default").partition(".")
    bound = outline.bound.get(first)
    named = [] if bound is None else [f"{bound}{dot}{rest}"]
    if bound is None and name and "default" in outline.bound:
        named.append(f"{outline.bound['default']}.{name}")
    everything = [path for each, path in outline.bound.items() if each.startswith("* ")]
    return [*named, *(f"{path}.{name}" for path in everything if name)]


class Project:
    """The files of a workspace and their summaries."""

    def __init__(self, index: Index, outline_of: Callable[[str], Outline | None]) -> None:
        self.index = index
        self._outline_of = outline_of
        self._handed: dict[tuple[str, str], tuple[FunctionOutline, str, str] | None] = {}
        """What files have of names that others hand on, as far as it was looked up."""

    def forget(self) -> None:
        """Look up anew what files hand on: what is known of them is another now."""
        self._handed.clear()

    def links(self, path: Path, text: str) -> Links | None:
        """Return the functions of others as a file sees them; None if none are followed."""
        family = FAMILIES.get(normal_language("", path))
        if family is None:
            return None
        return Links(Here(str(path), family, text), self.index, self._outline_of, self._handed)

    def defines(self, path: Path, outline: Outline) -> None:
        """Take note of the classes that a file defines."""
        family = FAMILIES.get(normal_language("", path))
        for name in outline.functions if family is not None else ():
            if name[:1].isupper():
                self.index.defined[family or "", name.partition(".")[0]].add(str(path))
