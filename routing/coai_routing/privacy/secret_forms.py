"""Forms of secrets as data: read from `secrets.toml`, validated, compiled when first wanted.

A token is written as what stays and what is secret, `ghp_ [A-Za-z0-9]{36,255}`: literal characters
and sets of characters with a length. Such a form takes time in proportion to the text by
construction: a set is never followed by what is in it, so no repetition is ever tried twice. A form
that needs more is a regular expression, and is refused where a repetition has no limit or lies
within another one, or where the secret is not in each of its alternatives.
"""

from __future__ import annotations

import functools
import random
import re
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

GUARD: Final = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrt])|(?<=%[0-9A-Fa-f]{2}))"
"""Before a token: no letter and no digit, unless it is the end of an escape."""

BEFORE: Final = 120
"""Characters before a keyword in which a rule's `after` is looked for."""

_PIECE: Final = re.compile(
    r"\[(?P<set>(?:[^\]\\]|\\.)+)\](?:\{(?P<least>[0-9]+)(?:,(?P<most>[0-9]+))?\})?|(?P<literal>\\.|[^\[\]{}()|*+?^$\\])"
)
_LONGEST_KEYWORD: Final = 10
_SHORTEST_KEYWORD: Final = 2
_SECRET: Final = "(?P<secret>"  # noqa: S105 - the group of a regular expression


class Entry(BaseModel):
    """What a data file holds: frozen, and no field that nobody knows."""

    model_config = ConfigDict(frozen=True, extra="forbid")


# ------------------------------------------------------------------------------------- tokens


def _pieces(form: str) -> Iterator[re.Match[str]]:
    at = 0
    while at < len(form):
        piece = _PIECE.match(form, at)
        if piece is None:
            raise ValueError(f"{form!r}: {form[at:]!r} is neither a character nor a set")
        yield piece
        at = piece.end()


def _compiled_pieces(form: str) -> str:
    """Return a form as a regular expression that never looks at a character twice."""
    parts = list(_pieces(form))
    written: list[str] = []
    for number, piece in enumerate(parts):
        if piece["set"] is None:
            literal = piece["literal"]
            written.append(literal if literal.startswith("\\") else re.escape(literal))
            continue
        least, most = int(piece["least"] or 1), int(piece["most"] or piece["least"] or 1)
        if least > most:
            raise ValueError(f"{piece[0]!r}: at least more than at most")
        follower = parts[number + 1][0] if number + 1 < len(parts) else ""
        if most > least and follower and _overlaps(piece["set"], parts[number + 1]):
            raise ValueError(f"{form!r}: {follower!r} may begin within what {piece[0]!r} takes")
        written.append(f"[{piece['set']}]{{{least},{most}}}+")
    return "".join(written)


def _overlaps(characters: str, follower: re.Match[str]) -> bool:
    one = re.compile(f"[{characters}]")
    if follower["set"] is None:
        literal: str = follower["literal"]
        return one.match(literal[-1]) is not None
    other = re.compile(f"[{follower['set']}]")
    every = map(chr, range(0x20, 0x7F))
    return any(one.match(character) and other.match(character) for character in every)


def sample(form: str, draw: random.Random) -> str:
    """Return random text of a form, as a rule's `example` or a token is written."""
    made: list[str] = []
    for piece in _pieces(form):
        if piece["set"] is None:
            made.append(piece["literal"][-1])
            continue
        one = re.compile(f"[{piece['set']}]")
        alphabet = [c for c in map(chr, range(0x21, 0x7F)) if one.match(c)]
        least, most = int(piece["least"] or 1), int(piece["most"] or piece["least"] or 1)
        made.extend(draw.choices(alphabet, k=draw.randint(least, min(most, least + 24))))
    return "".join(made)


def _token(form: str) -> str:
    stays, space, secret = form.partition(" ")
    if not space or not stays or not secret:
        raise ValueError(f"{form!r}: what stays, a space, and what is secret")
    _compiled_pieces(stays + secret)
    if len(_keyword(stays)) < _SHORTEST_KEYWORD:
        raise ValueError(f"{form!r}: does not begin with {_SHORTEST_KEYWORD} characters")
    return form


def _keyword(stays: str) -> str:
    """Return the literal characters that a token begins with."""
    start = ""
    for piece in _pieces(stays):
        if piece["set"] is not None or len(start) == _LONGEST_KEYWORD:
            break
        start += piece["literal"][-1]
    return start


# --------------------------------------------------------------------------- regular expressions


def _expression(pattern: str) -> str:
    """Return the expression if it compiles, is bounded and always has the secret."""
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ValueError(f"no regular expression: {error}") from error
    if unknown := compiled.groupindex.keys() - {"secret", "quote"}:
        raise ValueError(f"groups {sorted(unknown)} that mean nothing here")
    check_linear(pattern)
    return pattern


class _Group:
    """What is known of a group while it is open."""

    def __init__(self, *, is_secret: bool = False) -> None:
        self.is_secret = is_secret
        self.holds_secret = False
        self.repeats = False
        self.alternatives = False


_QUANTIFIER: Final = re.compile(r"[*+?]|\{[0-9]*,?[0-9]*\}")
_HEAD: Final = re.compile(r"\((?:\?(?:P<\w+>|P=\w+|<?[=!]|>|[aimsux-]*:))?")


def check_linear(pattern: str) -> None:
    """Raise ValueError for a repetition without a limit, or of what repeats itself.

    The secret must be in each alternative: its group lies in none, and is never left out.
    """
    bare = re.sub(r"\\.", "cc", pattern)
    bare = re.sub(r"\[\^?\]?[^\]]*\]", lambda found: "c" * len(found[0]), bare)
    groups = [_Group()]
    last: _Group | None = None
    at = 0
    while at < len(bare):
        end = at + 1
        if head := _HEAD.match(bare, at):
            groups.append(_Group(is_secret=head[0] == _SECRET))
            last, end = None, head.end()
        elif quantifier := _QUANTIFIER.match(bare, at):
            _check_repetition(quantifier[0], last, groups[-1])
            end = quantifier.end()
            end += bare[end : end + 1] in ("+", "?")
            last = None
        else:
            last = _closed(groups) if bare[at] == ")" else None
            groups[-1].alternatives |= bare[at] == "|"
        at = end
    if groups[0].holds_secret and groups[0].alternatives:
        raise ValueError("no group `secret` in one of the alternatives")


def _closed(groups: list[_Group]) -> _Group:
    group = groups.pop()
    if group.holds_secret and group.alternatives:
        raise ValueError("no group `secret` in one of the alternatives")
    groups[-1].holds_secret |= group.is_secret or group.holds_secret
    groups[-1].repeats |= group.repeats
    return group


def _check_repetition(written: str, last: _Group | None, around: _Group) -> None:
    if written in ("*", "+") or written.endswith(",}"):
        raise ValueError("a repetition without a limit")
    if last is not None and last.repeats and written != "?":
        raise ValueError("a repetition within a repetition")
    if last is not None and (last.is_secret or last.holds_secret):
        raise ValueError("no group `secret` where it may be left out")
    around.repeats |= written == "?" or "," in written


BoundedExpression = Annotated[str, Field(min_length=1), AfterValidator(_expression)]
"""A regular expression whose time is bounded; see `check_linear`."""

_Token = Annotated[str, AfterValidator(_token)]
_Keyword = Annotated[str, Field(min_length=1)]


class SecretRule(Entry):
    """One kind of secret; `secrets.toml` says what each field means."""

    kind: str = Field(pattern=r"^[a-z0-9-]+$")
    title: str = Field(min_length=1)
    tokens: tuple[_Token, ...] = ()
    regex: BoundedExpression | None = None
    keywords: tuple[_Keyword, ...] = ()
    near: Literal["token", "text"] = "token"
    back: int = Field(default=0, ge=0, le=96)
    only_with: str = ""
    after: BoundedExpression | None = None
    example: str = ""
    entropy: float = Field(default=0.0, ge=0.0, le=6.0)
    strict: bool = False
    digit: bool = False
    random: bool = False

    @model_validator(mode="after")
    def _whole(self) -> SecretRule:
        if bool(self.tokens) == (self.regex is not None):
            raise ValueError("either `tokens` or `regex`")
        if self.regex is None:
            return self
        if "secret" not in re.compile(self.regex).groupindex:
            raise ValueError("no group `secret`")
        if not self.keywords:
            raise ValueError("no `keywords` for the regular expression")
        if self.near == "text" and any(k != k.lower() for k in self.keywords):
            raise ValueError("`keywords` of text are written in small letters")
        if not self._finds_its_example():
            raise ValueError(f"does not find its `example` {self.example!r}")
        return self

    def _finds_its_example(self) -> bool:
        text = self.sample(random.Random(self.kind))  # noqa: S311 - a sample, no key
        shown = text.lower() if self.near == "text" else text
        for keyword in self.keywords:
            at = shown.find(keyword)
            while at >= 0:
                if self.expression.match(text, max(0, at - self.back)):
                    return True
                at = shown.find(keyword, at + 1)
        return False

    def sample(self, draw: random.Random) -> str:
        """Return a random text with such a secret in it."""
        if not self.tokens:
            return sample(self.example, draw)
        return sample(draw.choice(self.tokens).replace(" ", "", 1), draw)

    @functools.cached_property
    def expression(self) -> re.Pattern[str]:
        """The compiled regular expression, which begins `back` characters before the keyword."""
        return re.compile(self.regex or "", re.IGNORECASE if self.near == "text" else 0)

    def fits(self, text: str, at: int) -> bool:
        """Say whether what must stand before the keyword does."""
        return self.after is None or self._after.search(text, max(0, at - BEFORE), at) is not None

    @functools.cached_property
    def _after(self) -> re.Pattern[str]:
        return re.compile(self.after or "", re.IGNORECASE)

    def starts(self) -> Iterator[tuple[str, str | None]]:
        """Return each keyword with the token that begins there; None for the expression."""
        for token in self.tokens:
            yield _keyword(token.partition(" ")[0]), token
        for keyword in self.keywords:
            yield keyword, None


@functools.lru_cache(maxsize=1024)
def expression_of(token: str) -> re.Pattern[str]:
    """Return a token's form as a regular expression."""
    stays, _, secret = token.partition(" ")
    whole = _compiled_pieces(stays + secret)
    kept = _compiled_pieces(stays)
    return re.compile(f"{GUARD}{kept}(?P<secret>{whole[len(kept) :]})(?![A-Za-z0-9])")


def any_of(keywords: Iterable[str]) -> str:
    """Return an expression for any of some words that looks at each character once (a trie)."""
    root: dict[str, _Node] = {}
    for keyword in keywords:
        node = root
        for character in keyword:
            node = node.setdefault(character, {})
        node[""] = {}
    return _branches(root)


_Node = dict[str, "_Node"]


def _branches(node: _Node) -> str:
    longer = [re.escape(c) + _branches(below) for c, below in sorted(node.items()) if c]
    if not longer:
        return ""
    together = longer[0] if len(longer) == 1 else f"(?:{'|'.join(longer)})"
    return f"(?:{together})?" if "" in node else together
