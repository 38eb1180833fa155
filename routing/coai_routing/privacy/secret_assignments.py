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

from coai_routing.privacy.secret_names import name_before

if TYPE_CHECKING:
    from collections.abc import Iterator

    from coai_routing.privacy.secret_names import Names, Role

MOST_PIECES: Final = 64
"""Literals side by side that are joined."""

_QUOTE: Final = r"\\{0,3}(?:\"\"\"|'''|[\"'`])"
_LITERAL: Final = (
    rf"(?P<quote>{_QUOTE})"
    r"(?P<value>(?:(?!(?P=quote))(?:\\\r?\n|\\.|[^\\\r\n])){1,4000}+)(?P=quote)"
)
_MAKERS: Final = (
    r"(?:\[\]byte|bytes|str|String|String::from|Buffer\.from|new[ ]String|SecretStr|std::string"
    r"|QString|Some|secrecy::Secret::new)\(\s{0,4}[bru@]?"
)
"""What makes a value of a literal in some language, up to the literal."""
_PREFIX: Final = rf"(?:[fbruFBRUL@$]{{1,2}}|u8|{_MAKERS})?"
_VALUE_OF: Final = (
    rf"(?:[\s,/>;{{]{{1,60}}+(?:-[ ])?[<{{]?(?:{_QUOTE})?(?:string|secret)?_?"
    rf"(?:value|val|content|default)(?:{_QUOTE})?\s{{0,8}}+[:=>]{{1,2}}\s{{0,8}}+"
    r"|</\w{1,20}>\s{0,40}<\w{1,20}>)"
)
"""The `value` of the entry or element whose name went before."""
_TYPE: Final = (
    r"(?:(?:\[[0-9A-Za-z_]{0,16}\]|:?[ \t]{0,4}[A-Za-z&*'_.<>\[\]()?|0-9,\ ]{1,40}?)"
    rf"[ \t]{{0,4}}(?==[ \t]{{0,8}}{_PREFIX}[\"'`]))?"
)
_BLOCK: Final = (
    r"(?:[|>][-+0-9]{0,2}[ \t]{0,4}\r?\n[ \t]{1,40}+|\s{0,40}+<!\[CDATA\[|(?<=>)\s{1,80}+"
    r"|\(?[ \t]{0,8}\\?\r?\n[ \t]{1,80}+(?=[\"'`]))"
)
"""The way to a value on the next line."""
_OPERATOR: Final = re.compile(
    rf"""
    (?P<close>(?:{_QUOTE}|[\])}}?!]){{0,4}}+)
    (?:
      (?P<entry>{_VALUE_OF})
    |
      [ \t]{{0,16}}+ {_TYPE}
      (?P<operator>===?|!==?|=>|->|<-|:{{0,3}}=|\?{{1,2}}=|\?\?|\|\|=?|&&=|\.=|\+=|:{{1,2}}|,|\(|>)
      [ \t]{{0,16}}+
    |
      (?P<space>[ \t]{{1,16}}+)
    )
    (?P<block>{_BLOCK})?
    (?:{_PREFIX}{_LITERAL}
      |(?:&\w{{1,32}}[ ]|!!?\w{{1,16}}[ ])?(?P<bare>[^\s"'`<>\\]{{1,2000}}+))
    """,
    re.VERBOSE | re.IGNORECASE,
)
_SEAM: Final = re.compile(
    r"[ \t]{0,40}+(?:[+.&]|\.\.|<>)?[ \t]{0,16}+\\?(?:\r?\n[ \t]{0,80}+)?"
    rf"(?:[+.&]|\.\.)?[ \t]{{0,16}}+[fbruL@]{{0,2}}{_LITERAL}(?![ \t]{{0,8}}[:=])"
)
"""What joins a literal to the one before it; the key of the next entry is not joined."""
_CONTINUED: Final = re.compile(r"\\\r?\n[ \t]{0,80}")
_FOLLOWED: Final = (
    r"(?=[\"'`\\\])}?!]{0,6}[ \t]{0,16}[:=,?.+|&!<>\-]"
    r"|[\"']?[\s/>]{1,40}(?:-[ ])?[<\"']?(?:value|val|default|content|string)"
    r"|\[|[\"'][ ]?\{|[ \t]{1,16}[a-z0-9&*\"'`$])"
)
"""What follows a name to which something may be assigned, in small letters."""
_DIRECTIVE: Final = re.compile(
    r"(?:#[ \t]{0,4}define|(?:^|\n)[ \t]{0,8}(?:ENV|ARG|SetEnv|setx|setenv|set)"
    r"(?:[ \t]{1,4}-[A-Za-z]{1,4})?|(?:with|encrypted)[ \t]{1,4}|login[ \t]{1,4}\S{1,80}"
    r"|(?:^|[\s\"'])--?D?)[ \t]{0,8}\Z",
    re.IGNORECASE,
)
_LINE_END: Final = re.compile(r"[ \t]{0,8}(?:[\r\n]|\Z|[ \t]#|\\[nr])")
_LEAD: Final = re.compile(
    r"(?:^|[\r\n]|\\n)[ \t]{0,40}(?:(?:#|//|;|\*|--)[ \t]{0,4})?(?:-[ \t]{1,4})?"
    r"(?:(?:export|ENV|ARG|set)[ \t]{1,4}|\$env:|//[^\s=]{1,100}:)?\Z",
    re.IGNORECASE,
)
_BEFORE_DIRECTED: Final = frozenset(" \t-D\n")
_OPERATORS: Final = frozenset(":,>?|=<")
_QUOTES: Final = frozenset("\"'`")
_BEFORE_TIGHT: Final = frozenset({"", *"?&;\"'` -:"})
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
    """What is not is known to be a value and no expression: a line of configuration, an option."""
    closing: str = ""
    """The character behind what is not quoted."""


class Assignments:
    """Finds assignments to names that tell a secret."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._roots = names.roots
        # What follows is looked at here already, where it costs least: a name without any of it is
        # one of thousands.
        self._place = re.compile(rf"(?:{names.stems})[\w.-]{{0,40}}+{_FOLLOWED}")
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
            yield from self._after(text, start, end, role)

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

    def _after(self, text: str, start: int, end: int, role: Role) -> Iterator[Assignment]:
        match = _OPERATOR.match(text, end)
        if match is None:
            return
        if match["space"] is not None and not _directed(text, start):
            return
        name = text[start:end]
        listed = match["operator"] == ","
        if listed and match["block"] is not None:
            return
        if match["bare"] is None:
            yield from self._literal(text, name, role, match)
        elif (found := _bare(text, start, name, role, match)) is not None:
            yield found

    def _literal(
        self, text: str, name: str, role: Role, match: re.Match[str]
    ) -> Iterator[Assignment]:
        """Return a literal alone, and with what it is joined to if anything stands beside it.

        What follows on the next line need not belong to it, and would hide it.
        """
        values = [match["value"]]
        until, end = match.end("value"), match.end()
        while len(values) < MOST_PIECES:
            seam = _SEAM.match(text, end)
            if seam is None or seam["quote"] != match["quote"]:
                break
            values.append(seam["value"])
            until, end = seam.end("value"), seam.end()
        start = match.start("value")
        if len(values) > 1:
            alone = _CONTINUED.sub("", values[0])
            yield Assignment(name, role, alone, start, match.end("value"), quoted=True)
        value = _CONTINUED.sub("", "".join(values))
        yield Assignment(name, role, value, start, until, quoted=True)


def _operator_near(text: str, end: int) -> bool:
    """Say whether an operator follows on the line, after a type if there is one."""
    line = text[end : end + 48]
    return line.lstrip(" \t")[:1] in _OPERATORS or "=" in line.partition("\n")[0]


def _directed(text: str, start: int) -> bool:
    """Say whether what stands before a name lets white space assign to it."""
    return _DIRECTIVE.search(text, max(0, start - 96), start) is not None


def _bare(text: str, start: int, name: str, role: Role, match: re.Match[str]) -> Assignment | None:
    """Return what is assigned without quotes; the value ends where its place does."""
    value, at, end = match["bare"], match.start("bare"), match.end("bare")
    operator = match["operator"]
    listed = operator == ","
    closing = text[end : end + 1]
    marked = match["operator"] is None or match["block"] is not None
    marked = marked or (operator == ">" and closing == "<")
    lead = _LEAD.search(text, max(0, start - 120), start) is not None
    close = match.start("operator") == match.end("close") and match.end("operator") == at
    tight = operator == "=" and close
    whole = _LINE_END.match(text, end) is not None and (lead or tight)
    before = text[max(0, start - 1) : start]
    header = operator == ":" and before in _QUOTES and closing in _QUOTES
    if listed or not (whole or marked):
        cut = _CUT.search(value)
        if cut is not None:
            value = value[: cut.start()]
            end = at + len(value)
            closing = text[end : end + 1]
    if match["block"] is not None:
        value = value.removesuffix("]]")
        end = at + len(value)
    within = tight and before in _BEFORE_TIGHT
    row = listed and lead and close
    plain = marked or header or row or whole or within or (tight and name == name.upper())
    return Assignment(name, role, value, at, end, quoted=False, closing=closing) if plain else None
