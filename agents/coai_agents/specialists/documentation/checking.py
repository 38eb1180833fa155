"""Whether documentation fits the code that it is about: decided by the tree, never by a model."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from coai_agents.specialists.documentation.comment import DocComment
    from coai_agents.specialists.documentation.signature import Signature


class Misfit(StrEnum):
    """What is wrong with documentation."""

    MISSING_PARAMETER = "missing-parameter"
    INVENTED_PARAMETER = "invented-parameter"
    MISSING_EXCEPTION = "missing-exception"
    INVENTED_EXCEPTION = "invented-exception"


@dataclass(frozen=True, slots=True)
class Problem:
    """One misfit, and whose."""

    kind: Misfit
    name: str
    instead: str = ""
    """The name that it probably had to be."""

    def sentence(self) -> str:
        """Return it for people."""
        said = {
            Misfit.MISSING_PARAMETER: f"The parameter `{self.name}` is not documented.",
            Misfit.INVENTED_PARAMETER: f"There is no parameter `{self.name}`.",
            Misfit.MISSING_EXCEPTION: f"`{self.name}` is raised and not documented.",
            Misfit.INVENTED_EXCEPTION: f"`{self.name}` is not raised here.",
        }[self.kind]
        return f"{said} It may be `{self.instead}` now." if self.instead else said


def whole(signature: Signature, comment: DocComment) -> list[Problem]:
    """Return what is wrong with documentation that has to speak of everything, as ours does."""
    documented = [each.name for each in comment.parameters]
    raised = [_last(each.name) for each in comment.raises]
    return [
        *_missing(Misfit.MISSING_PARAMETER, signature.names, documented),
        *_missing(Misfit.INVENTED_PARAMETER, documented, signature.names),
        *_missing(Misfit.MISSING_EXCEPTION, signature.raises, raised),
        *_missing(Misfit.INVENTED_EXCEPTION, raised, signature.raises),
    ]


def stale(
    signature: Signature, comment: DocComment, *, calls: Iterable[str], words: Iterable[str]
) -> list[Problem]:
    """Return where documentation that once fitted no longer does.

    What says nothing of parameters may go on saying nothing, and an exception may be raised by
    what is called: an exception is only told to be wrong where nothing could raise it, or where
    another one took its place. `calls` are the names that the body calls, `words` all its names.
    """
    return [
        *_stale_parameters(signature, comment),
        *_stale_exceptions(signature, comment, calls=set(calls), words=set(words)),
    ]


def _stale_parameters(signature: Signature, comment: DocComment) -> list[Problem]:
    documented = [each.name for each in comment.parameters]
    if not documented:
        return []
    rest = {each.name for each in signature.parameters if each.rest}
    invented = [name for name in documented if name not in signature.names]
    # Names within the arguments that are taken together are documented one by one.
    invented = [] if rest else [name for name in invented if _is_name(name)]
    missing = [
        name
        for name in signature.names
        if name not in documented and name not in rest and not name.startswith("_")
    ]
    if len(invented) == len(missing) == 1:
        return [Problem(Misfit.INVENTED_PARAMETER, invented[0], missing[0])]
    if not invented and len(missing) > 1:
        return []  # only what does not go without saying is documented here
    return [
        *(Problem(Misfit.INVENTED_PARAMETER, name) for name in invented),
        *(Problem(Misfit.MISSING_PARAMETER, name) for name in missing),
    ]


def _stale_exceptions(
    signature: Signature, comment: DocComment, *, calls: set[str], words: set[str]
) -> list[Problem]:
    documented = [_last(each.name) for each in comment.raises]
    if not documented:
        return []
    missing = [name for name in signature.raises if name not in documented]
    unraised = [name for name in documented if name not in signature.raises and name not in words]
    if len(missing) == len(unraised) == 1:
        return [Problem(Misfit.INVENTED_EXCEPTION, unraised[0], missing[0])]
    if calls - set(signature.raises):
        return []
    return [Problem(Misfit.INVENTED_EXCEPTION, name) for name in unraised]


def _missing(kind: Misfit, wanted: Iterable[str], there: Iterable[str]) -> list[Problem]:
    known = set(there)
    return [Problem(kind, name) for name in wanted if name not in known]


def _is_name(name: str) -> bool:
    return name.isidentifier() and name not in {"None", "none", "void"}


def _last(name: str) -> str:
    return name.replace("\\", ".").replace("::", ".").rpartition(".")[2]
