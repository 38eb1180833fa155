"""Values that are assigned to names, in whatever language: the places in which secrets stand.

One pass finds each name that tells a secret (`secret_names.py`) with what follows it:

- an operator: `=`, `:=`, `?=`, `.=`, `+=`, `=>`, `:`, `==`, `,`, with or without a type before it
  (`var token string = `, `token: str = `, `char token[] = `);
- the end of a quoted key, with the quotes escaped once or more: JSON, and JSON in a string;
- the end of an XML tag; the `value` of an element or entry whose name it is, in XML, JSON and YAML;
- white space, after `#define`, `ENV`, `ARG`, `SetEnv`, an option such as `--token`, `login NAME`;
- a block of YAML (`|`, `>`).

The value is a literal, several that stand side by side, or the rest of what is not quoted. Each
expression is bounded and possessive, so the time grows with the text's length alone.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from coai_routing.secret_names import name_before

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coai_routing.secret_names import Names, Role

MOST_PIECES: Final = 64
"""Literals side by side that are joined."""

_QUOTE: Final = r"\\{0,3}(?:\"\"\"|'''|[\"'`])"
_LITERAL: Final = (
    rf"(?P<quote>{_QUOTE})"
    r"(?P<value>(?:(?!(?P=quote))(?:\\\r?\n|\\.|[^\\\r\n])){1,4000}+)(?P=quote)"
)
_PREFIX: Final = (
    r"(?:[fbruFBRUL@$]{1,2}|u8|(?:\[\]byte|bytes|str|String|string|String::from|Buffer\.from|new String"
    r"|SecretStr|std::string|QString|Some|secrecy::Secret::new)\(\s{0,4}[bru@]?)?"
)

_VALUE_OF: Final = (
    rf"(?:[\s,/>;{{]{{1,60}}+(?:-[ ])?[<{{]?(?:{_QUOTE})?(?:string|secret)?_?(?:value|val|content|default)(?:{_QUOTE})?"
    r"\s{0,8}+[:=>]{1,2}\s{0,8}+|</\w{1,20}>\s{0,40}<\w{1,20}>)"
)
_OPERATOR: Final = re.compile(
    rf"""
    (?P<close>(?:{_QUOTE}|[\])}}?!]){{0,4}}+)
    (?:
      (?P<entry>{_VALUE_OF})
    |
      [ \t]{{0,16}}+
      (?:(?:\[[0-9A-Za-z_]{{0,16}}\]|:?[ \t]{{0,4}}[A-Za-z&*'_.<>\[\]()?|0-9,\ ]{{1,40}}?)[ \t]{{0,4}}(?==[ \t]{{0,8}}{_PREFIX}["'`]))?
      (?P<operator>===?|!==?|=>|->|<-|:{{0,3}}=|\?{{1,2}}=|\?\?|\|\|=?|&&=|\.=|\+=|:{{1,2}}|,|\(|>)
      [ \t]{{0,16}}+
    |
      (?P<space>[ \t]{{1,16}}+)
    )
    (?P<block>[|>][-+0-9]{{0,2}}[ \t]{{0,4}}\r?\n[ \t]{{1,40}}+|\s{{0,40}}+<!\[CDATA\[|(?<=>)\s{{1,80}}+|\(?[ \t]{{0,8}}\\?\r?\n[ \t]{{1,80}}+(?=["'`]))?
    (?:{_PREFIX}{_LITERAL}|(?:&\w{{1,32}}[ ]|!!?\w{{1,16}}[ ])?(?P<bare>[^\s"'`<>\\]{{1,2000}}+))
    """,
    re.VERBOSE | re.IGNORECASE,
)

_SEAM: Final = re.compile(
    rf"[ \t]{{0,40}}+(?:[+.&]|\.\.|<>)?[ \t]{{0,16}}+\\?(?:\r?\n[ \t]{{0,80}}+)?(?:[+.&]|\.\.)?[ \t]{{0,16}}+[fbruL@]{{0,2}}{_LITERAL}",
    re.VERBOSE,
)
_CONTINUED: Final = re.compile(r"\\\r?\n[ \t]{0,80}")
_DIRECTIVE: Final = re.compile(
    r"(?:#[ \t]{0,4}define|(?:^|\n)[ \t]{0,8}(?:ENV|ARG|SetEnv|setx|setenv|set)(?:[ \t]{1,4}-[A-Za-z]{1,4})?"
    r"|(?:with|encrypted)[ \t]{1,4}|login[ \t]{1,4}\S{1,80}|(?:^|[\s\"'])--?D?)[ \t]{0,8}\Z",
    re.IGNORECASE,
)
_LINE_END: Final = re.compile(r"[ \t]{0,8}(?:[\r\n]|\Z|[ \t]#|\\[nr])")
_LEAD: Final = re.compile(
    r"(?:^|[\r\n]|\\n)[ \t]{0,40}(?:(?:#|//|;|\*|--)[ \t]{0,4})?(?:-[ \t]{1,4})?(?:export[ \t]{1,4}|ENV[ \t]{1,4}|ARG[ \t]{1,4}|set[ \t]{1,4}|\$env:|//[^\s=]{1,100}:)?\Z",
    re.IGNORECASE,
)
_BEFORE_DIRECTED: Final = frozenset(" \t-D\n")
_OPERATORS: Final = frozenset(":,>?|=<")
_CUT: Final = re.compile(r"[;&,)\]}]")


@dataclass(frozen=True, slots=True)
class Assignment:
    """A value that a name says is secret, if it looks like one."""

    name: str
    role: Role
    value: str
    """As it is meant: literals joined, lines that go on put together."""
    start: int
    end: int
    quoted: bool
    plain: bool = False
    """Whether what is not quoted is a value and no expression: a line of configuration."""
    closing: str = ""
    """The character behind what is not quoted."""


class Assignments:
    """Finds assignments to names that tell a secret."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._roots = names.roots
        # What follows is looked at here already, where it costs least: a name without any of it is
        # one of thousands.
        self._place = re.compile(
            rf"(?:{names.stems})[\w.-]{{0,40}}+"
            r"(?=[\"'`\\\])}?!]{0,6}[ \t]{0,16}[:=,?.+|&!<>\-]|['\"]?[\s/>]{1,40}(?:-[ ])?[<\"']?(?:value|val|default|content|string)|\[|['\"][ ]?\{|[ \t]{1,16}[a-z0-9&*\"'`$])"
        )
        self._role = functools.lru_cache(maxsize=4096)(names.role)

    def find(self, text: str, lower: str) -> Iterator[Assignment]:
        """Return the assignments of a text; `lower` is the same in small letters."""
        for begin, end in self._places(lower):
            if text[end : end + 1] in (" ", "\t") and not _operator_near(text, end):
                # An option, a directive: white space assigns to few names.
                start = begin - len(name_before(text, begin))
                if text[start - 1 : start] not in _BEFORE_DIRECTED or not _directed(text, start):
                    continue
            start = begin - len(name_before(text, begin))
            role = self._role(text[start:end])
            if role is None:
                continue
            found = self._after(text, start, end, role)
            if found is not None:
                yield found

    def _places(self, lower: str) -> Iterator[tuple[int, int]]:
        """Return where a word that tells begins, and where the name that it is in ends.

        To look for each of a few words is faster than to look for any of them.
        """
        for root in self._roots:
            at = lower.find(root)
            while at >= 0:
                place = self._place.match(lower, at)
                if place is not None:
                    yield place.span()
                at = lower.find(root, at + len(root))

    def _after(self, text: str, start: int, end: int, role: Role) -> Assignment | None:
        match = _OPERATOR.match(text, end)
        if match is None:
            return None
        if match["space"] is not None and not _directed(text, start):
            return None
        name = text[start:end]
        listed = match["operator"] == ","
        if listed and match["block"] is not None:
            return None
        if match["bare"] is None:
            return self._literal(text, name, role, match)
        return _bare(text, start, name, role, match)

    def _literal(self, text: str, name: str, role: Role, match: re.Match[str]) -> Assignment:
        values = [match["value"]]
        until, end = match.end("value"), match.end()
        while len(values) < MOST_PIECES:
            seam = _SEAM.match(text, end)
            if seam is None or seam["quote"] != match["quote"]:
                break
            values.append(seam["value"])
            until, end = seam.end("value"), seam.end()
        value = _CONTINUED.sub("", "".join(values))
        return Assignment(name, role, value, match.start("value"), until, quoted=True)


def _operator_near(text: str, end: int) -> bool:
    """Say whether an operator follows on the line, after a type if there is one."""
    line = text[end : end + 48]
    return line.lstrip(" \t")[:1] in _OPERATORS or "=" in line.partition("\n")[0]


def _directed(text: str, start: int) -> bool:
    """Say whether what stands before a name lets white space assign to it."""
    return _DIRECTIVE.search(text, max(0, start - 96), start) is not None


def _bare(text: str, start: int, name: str, role: Role, match: re.Match[str]) -> Assignment | None:
    """Return what is assigned without quotes; the value ends where its place does."""
    at, value = match.start("bare"), match["bare"]
    end = match.end("bare")
    lead = _LEAD.search(text, max(0, start - 120), start) is not None
    close = match.end("operator")
    tight_comma = close == at and match.start("operator") == match.end("close")
    tight = (
        match["operator"] == "="
        and text[match.end("operator") : at] == ""
        and match.start("operator") == match.end("close")
    )
    line = _LINE_END.match(text, end) is not None
    marked = match["block"] is not None or match["space"] is not None or match["entry"] is not None
    if match["operator"] == ">" and text[end : end + 1] == "<":
        marked = True
    before = text[start - 1 : start]
    within = tight and (before in ("?", "&", ";", '"', "'", "`", " ", "-", ":") or start == 0)
    shell = tight and name == name.upper() and not line
    if match["operator"] == "," or (not (line and (lead or tight)) and not marked):
        cut = _CUT.search(value)
        if cut is not None:
            value = value[: cut.start()]
            end = at + len(value)
        elif not (shell or text[end : end + 1] in ('"', "'", "`", "<", "\\")):
            if not (line or within):
                return None
    if match["block"] is not None and value.endswith("]]"):
        value, end = value[:-2], end - 2
    row = (
        match["operator"] == ","
        and lead
        and value == match["bare"].partition(",")[0]
        and tight_comma
    )
    quotes = ('"', "'", "`")
    header = match["operator"] == ":" and before in quotes and text[end : end + 1] in quotes
    plain = marked or header or row or shell or (line and (lead or tight)) or within
    operator = match["operator"] or " "
    if not plain and operator not in ("=", ":"):
        return None
    return Assignment(
        name, role, value, at, end, quoted=False, plain=plain, closing=text[end : end + 1]
    )
