"""Documentation comments read into values, in any of the conventions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from coai_agents.specialists.documentation.comment import Described, DocComment

if TYPE_CHECKING:
    from collections.abc import Iterator

_TAG: Final = re.compile(
    r"^\s*(?:[@\\:])(?P<tag>param(?:eter)?|arg|argument|keyword|type|returns?|return|rtype|raises?|"
    r"except(?:ion)?|throws?|yields?|yieldreturn|tparam|brief)\b(?:\[[\w, ]*\])?"
    r"(?P<rest>.*)$"
)
_XML: Final = re.compile(
    r"<(?P<tag>summary|param|returns|exception|typeparam|remarks)"
    r"(?:\s+(?:name|cref)=\"(?P<name>[^\"]*)\")?\s*(?:/>|>(?P<text>.*?)</(?P=tag)>)",
    re.DOTALL,
)
_SECTIONS: Final = {
    "args": "parameters",
    "arguments": "parameters",
    "parameters": "parameters",
    "params": "parameters",
    "keyword args": "parameters",
    "keyword arguments": "parameters",
    "other parameters": "parameters",
    "returns": "returns",
    "return": "returns",
    "yields": "yields",
    "yield": "yields",
    "raises": "raises",
    "exceptions": "raises",
    "throws": "raises",
    "errors": "errors",
    "panics": "panics",
    "examples": "other",
    "example": "other",
    "note": "other",
    "notes": "other",
    "see also": "other",
    "attributes": "other",
    "warnings": "other",
    "references": "other",
    "safety": "other",
}
_UNDERLINED: Final = re.compile(r"^\s*(?:-{3,}|={3,}|~{3,})\s*$")
_ITEM: Final = re.compile(
    r"^\s*(?:[-*+]\s+)?[`*]{0,2}(?P<name>\*{0,2}[\w.\\]+(?:\s*,\s*\*{0,2}[\w.]+)*)[`*]{0,2}"
    r"\s*(?:\((?P<type>[^()]*(?:\([^()]*\)[^()]*)*)\))?\s*(?P<colon>[:\u2013-]|--)(?:\s+(?P<text>.*))?$"
)
_TYPED: Final = re.compile(
    r"^\s*(?:\{(?P<braces>[^}]*)\}|\[(?P<brackets>[^\]]*)\])\s*(?P<rest>.*)$"
)
_PHP: Final = re.compile(
    r"^\s*(?P<type>[^\s$&.]\S*)?\s*(?:&|\.\.\.)*\$(?P<name>\w+)\s*(?P<rest>.*)$"
)


def bare(text: str) -> str:
    """Return a comment's or docstring's words without its marks, lines kept."""
    text = text.strip()
    docstring = re.match(r"^[rRuUbB]*(\"\"\"|'''|\"|')", text)
    if docstring:
        return _dedented(text[docstring.end() : -len(docstring[1])])
    if text.startswith("/*"):
        inner = re.sub(r"^/\*[*!]?<?|\*+/$", "", text)
        return _dedented(
            "\n".join(re.sub(r"^\s*\*(?!\*)\s?", "", line) for line in inner.split("\n"))
        )
    return _dedented(
        "\n".join(re.sub(r"^\s*(?:///?<?!?|//!|#+|--)\s?", "", line) for line in text.split("\n"))
    )


def _dedented(text: str) -> str:
    first, *rest = text.split("\n")
    margin = min((len(x) - len(x.lstrip()) for x in rest if x.strip()), default=0)
    return "\n".join([first.strip(), *(line[margin:].rstrip() for line in rest)]).strip()


def read(text: str) -> DocComment:
    """Read a documentation comment, with its marks; whatever it does not understand is text."""
    words = bare(text)
    if re.search(r"<(summary|param|returns|exception)\b", words):
        return _xml(words)
    reader = _Reader()
    for line, following in _with_following(words.split("\n")):
        reader.take(line, following)
    return reader.comment()


def _with_following(lines: list[str]) -> Iterator[tuple[str, str]]:
    yield from zip(lines, [*lines[1:], ""], strict=True)


class _Reader:
    """Reads line by line: tags in any line, sections by their headings."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._section = ""
        self._margin = 0
        self._numpy = False
        self._items: dict[str, list[Described]] = {"parameters": [], "raises": []}
        self._whole: dict[str, Described] = {}
        self._has: set[str] = set()
        self._last: tuple[str, int] | None = None

    def take(self, line: str, following: str) -> None:
        if _UNDERLINED.match(line):
            return
        if (tag := _TAG.match(line)) is not None:
            self._section = ""
            self._tag(tag["tag"], tag["rest"].strip())
        elif (heading := _heading(line, following)) is not None:
            self._section, self._numpy = heading, bool(_UNDERLINED.match(following))
            self._margin = len(line) - len(line.lstrip())
            self._last = None
            self._has.add(heading)
        elif self._section in {"", "other", "errors", "panics"}:
            self._continued(line)
        else:
            self._in_section(line)

    def _continued(self, line: str) -> None:
        if self._last is not None and line.strip() and not self._section:
            self._more(line)
        else:
            self._last = None
            self._text.append(line)

    def _in_section(self, line: str) -> None:
        if not line.strip():
            return
        indented = len(line) - len(line.lstrip())
        if (
            not self._numpy
            and indented <= self._margin
            and not line.lstrip().startswith(("*", "-"))
        ):
            self._section = ""
            self._last = None
            self._text.append(line)
            return
        if self._section in ("returns", "yields"):
            known = self._whole.get(self._section, Described(""))
            self._whole[self._section] = Described("", f"{known.text} {line.strip()}".strip())
            return
        item = _ITEM.match(line)
        deeper = self._last is not None and indented > self._item_margin
        if item is not None and not deeper:
            self._item_margin = indented
            said = item["text"] or ""
            text, kind = ("", said) if self._numpy else (said, item["type"] or "")
            self._add(self._section, item["name"], text, kind)
        elif self._numpy and not deeper:
            self._item_margin = indented
            self._add(self._section, line, "", "")
        else:
            self._more(line)

    _item_margin = 0

    def _tag(self, tag: str, rest: str) -> None:
        if tag == "brief":
            self._text.append(rest)
            return
        if tag in ("type", "rtype", "tparam"):
            return
        named, kind = _without_type(rest)
        if tag.startswith("return"):
            self._has.add("returns")
            self._whole["returns"] = Described("", named.lstrip(": "), kind)
            self._last = ("returns", 0)
        elif tag.startswith("yield"):
            self._has.add("yields")
            self._whole["yields"] = Described("", named.lstrip(": "), kind)
        else:
            section = "raises" if tag.startswith(("raise", "except", "throw")) else "parameters"
            self._has.add(section)
            if section == "raises" and kind:  # an exception is a type
                self._add(section, kind.removeprefix("@link "), named, "")
            else:
                name, text, typed = _named(named, section)
                self._add(section, name, text, kind or typed)

    def _add(self, section: str, names: str, text: str, kind: str) -> None:
        for name in names.split(","):
            clean = name.strip().lstrip("*$&`").rstrip("`?")
            self._items.setdefault(section, []).append(Described(clean, text.strip(), kind.strip()))
        self._last = (section, len(self._items[section]) - 1)

    def _more(self, line: str) -> None:
        if self._last is None:
            return
        section, at = self._last
        if section == "returns":
            known = self._whole["returns"]
            self._whole["returns"] = Described(
                "", f"{known.text} {line.strip()}".strip(), known.type
            )
        elif self._items.get(section):
            known = self._items[section][at]
            self._items[section][at] = Described(
                known.name, f"{known.text} {line.strip()}".strip(), known.type
            )

    def comment(self) -> DocComment:
        paragraphs = re.split(r"\n\s*\n", "\n".join(self._text).strip(), maxsplit=1)
        return DocComment(
            summary=" ".join(paragraphs[0].split()),
            description=paragraphs[1].strip() if len(paragraphs) > 1 else "",
            parameters=tuple(self._items["parameters"]),
            returns=self._whole.get("returns"),
            yields=self._whole.get("yields"),
            raises=tuple(self._items["raises"]),
            speaks_of=frozenset(self._has),
        )


def _heading(line: str, following: str) -> str | None:
    stripped = line.strip()
    plain = stripped.lstrip("#").strip().rstrip(":").lower()
    if plain not in _SECTIONS:
        return None
    marked = stripped.endswith(":") or stripped.startswith("#") or _UNDERLINED.match(following)
    return _SECTIONS[plain] if marked else None


def _without_type(rest: str) -> tuple[str, str]:
    typed = _TYPED.match(rest)
    if typed is None:
        return rest, ""
    return typed["rest"], typed["braces"] or typed["brackets"] or ""


def _named(rest: str, section: str) -> tuple[str, str, str]:
    """Split `name text`, `type name: text`, `name [type] text`, `[name=default] text`."""
    php = _PHP.match(rest) if section == "parameters" else None
    if php is not None:
        return php["name"], php["rest"], php["type"] or ""
    head, colon, text = rest.partition(":")
    if colon and re.fullmatch(r"[\w.*\s\[\],|]+", head) and "://" not in rest:
        words = head.split()
        return (words[-1], text, " ".join(words[:-1])) if words else ("", text, "")
    optional = re.match(r"\[(?P<name>[\w.]+)(?:=[^\]]*)?\]\s*(?P<text>.*)", rest)
    if optional is not None:
        return optional["name"], optional["text"].lstrip("- "), ""
    name, _, text = rest.partition(" ")
    text, kind = _without_type(text.strip())
    return name.rstrip(":"), text.lstrip("-\u2013 "), kind


def _xml(words: str) -> DocComment:
    found: dict[str, list[Described]] = {}
    for match in _XML.finditer(words):
        text = " ".join(re.sub(r"<[^>]*>", "", match["text"] or "").split())
        name = (match["name"] or "").rpartition(".")[2].rpartition(":")[2]
        found.setdefault(match["tag"], []).append(Described(name, text))
    returns = found.get("returns", [None])[0]
    kinds = {"param": "parameters", "returns": "returns", "exception": "raises"}
    return DocComment(
        summary=" ".join(each.text for each in found.get("summary", ())),
        description=" ".join(each.text for each in found.get("remarks", ())),
        parameters=tuple(found.get("param", ())),
        returns=returns,
        raises=tuple(found.get("exception", ())),
        speaks_of=frozenset(kinds[tag] for tag in found if tag in kinds),
    )
