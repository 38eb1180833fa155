"""Go: structs with secrets in fields that are written out with the rest."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_agents.analysis.findings.findings import Confidence, Severity
from coai_agents.analysis.shapes.go.tree import arguments, callee, text, walk

if TYPE_CHECKING:
    from tree_sitter import Node

    from coai_agents.analysis.findings.report import Reporter
    from coai_agents.analysis.shapes.go.function import GoFunction

RULE: Final = "secret-in-output"

_WRITERS: Final = {
    "json": re.compile(
        r"json\.Marshal(?:Indent)?$|json\.NewEncoder\(.*\)\.Encode$|sonic\.Marshal$"
    ),
    "yaml": re.compile(r"yaml\.Marshal$|yaml\.NewEncoder\(.*\)\.Encode$"),
    "xml": re.compile(r"xml\.Marshal(?:Indent)?$|xml\.NewEncoder\(.*\)\.Encode$"),
    "toml": re.compile(r"toml\.Marshal$|toml\.NewEncoder\(.*\)\.Encode$"),
}
"""What writes a value out, by the key of the tag that says under which name a field goes."""

_ANSWERS: Final = re.compile(
    r"\b\w+\.(?:(?:Indented|Secure|Pure|Ascii|Abort\w*With)?JSON(?:P|Pretty)?|YAML|XML(?:Pretty)?)$"
)
"""What answers a request of gin, echo or fiber with a value."""

_SECRET: Final = re.compile(
    r"(?i)(?:^|[a-z_-])(?:pass(?:word|wd|phrase|code)|secret|token|api_?-?key|private_?-?key"
    r"|access_?-?key|credentials?|client_?-?secret|auth_?-?key|encryption_?-?key|bearer)s?$"
    r"|^(?:pwd|jwt|pin_?code|otp|mfa_?secret|api_?-?key|token|secret|password)s?$"
)
"""Names of fields that hold a secret: those that end so, not `token_type` or `passwordHint`."""

_PUBLIC: Final = re.compile(
    r"(?i)(?:public|csrf|page|next|continuation|cursor|max|num|count|total)"
)
"""What makes no secret of such a word."""

_TEXT: Final = re.compile(r"\*?(?:\[\])?(?:string|byte)$|\*?(?:json\.RawMessage|sql\.NullString)$")
_TAG: Final = re.compile(r'(\w+):"([^"]*)"')
_CUSTOM: Final = {
    "json": ("MarshalJSON", "MarshalText"),
    "yaml": ("MarshalYAML", "MarshalText"),
    "xml": ("MarshalXML", "MarshalText"),
    "toml": ("MarshalText", "MarshalTOML"),
}


def check(function: GoFunction, node: Node, report: Reporter) -> None:
    """Report a call that writes out a struct of the file's own with a secret in it."""
    called, passed = text(callee(node)), arguments(node)
    form = next((form for form, writer in _WRITERS.items() if writer.search(called)), None)
    answers = form is None and _ANSWERS.search(called) is not None
    if (form is None and not answers) or not passed:
        return
    value = passed[-1] if answers else passed[0]
    struct = function.struct_of(value)
    if not struct:
        return
    key = form or "json"
    if any((struct, method) in function.file.methods for method in _CUSTOM[key]):
        return
    name = _secret_in(function, struct, key)
    if name is None:
        return
    to_client = answers or _writes_to_client(function, node)
    report.add_seen(
        RULE,
        node,
        f"`{name}` is written out with the rest of `{struct}`.",
        (Severity.WARNING, Confidence.MEDIUM)
        if to_client
        else (Severity.INFORMATION, Confidence.LOW),
    )


def _writes_to_client(function: GoFunction, call: Node) -> bool:
    """Say whether an encoder writes to the response of a request."""
    writer = re.search(r"NewEncoder\((\w+)\)", text(callee(call)))
    return writer is not None and function.types.get(writer[1], "") == "http.ResponseWriter"


def _secret_in(function: GoFunction, struct: str, form: str, depth: int = 0) -> str | None:
    """Return the name under which a secret of a struct is written out; None if there is none."""
    for field in walk(function.file.structs[struct]):
        if field.type != "field_declaration":
            continue
        tags = dict(_TAG.findall(text(field.child_by_field_name("tag"))))
        tag = tags.get(form, "").split(",")[0]
        if tag == "-":
            continue
        kind = text(field.child_by_field_name("type"))
        for each in field.children_by_field_name("name"):
            name = text(each)
            if not name[:1].isupper():
                continue
            inner = kind.replace("[]", "").lstrip("*")
            if inner in function.file.structs and inner != struct and depth == 0:
                found = _secret_in(function, inner, form, depth + 1)
                if found is not None:
                    return found
            elif _TEXT.match(kind) and any(
                _SECRET.search(word) and not _PUBLIC.search(word) for word in (name, tag) if word
            ):
                return tag or name
    return None
