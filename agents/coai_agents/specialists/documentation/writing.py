"""Documentation comments written down: a value, in a convention, with the comment's marks."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

from coai_agents.specialists.documentation.convention import Convention

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from coai_agents.specialists.documentation.comment import Described, DocComment

WIDTH: Final = 88
"""Columns, as most formatters of Python have it; a line break in a comment harms nobody."""

_NARROWEST: Final = 40


def written(comment: DocComment, convention: Convention, *, indent: str, name: str = "") -> str:
    """Return a comment's lines, all of them indented, without a line end at their end.

    `name` is the function's: Go's comments begin with it.
    """
    width = max(_NARROWEST, WIDTH - len(indent.expandtabs(4)) - 4)
    lines = list(_BODIES[convention](comment, width, name))
    while lines and not lines[-1]:
        lines.pop()
    marked = _MARKED[_MARKS[convention]](lines)
    return "\n".join(f"{indent}{line}".rstrip() for line in marked)


# ------------------------------------------------------------------- bodies


def _lead(comment: DocComment, width: int) -> Iterator[str]:
    yield from _wrapped(comment.summary, width)
    if comment.description:
        yield ""
        yield from comment.description.split("\n")


def _google(comment: DocComment, width: int, _name: str) -> Iterator[str]:
    yield from _lead(comment, width)
    for title, items in (("Args", comment.parameters), ("Raises", comment.raises)):
        if title == "Raises":
            for heading, value in (("Returns", comment.returns), ("Yields", comment.yields)):
                if value is not None:
                    yield from ("", f"{heading}:")
                    yield from _wrapped(_typed(value, "{type}: {text}"), width, "    ")
        if items:
            yield from ("", f"{title}:")
            for each in items:
                head = f"{each.name} ({each.type}):" if each.type else f"{each.name}:"
                yield from _wrapped(f"{head} {each.text}", width, "    ", "        ")


def _numpy(comment: DocComment, width: int, _name: str) -> Iterator[str]:
    yield from _lead(comment, width)
    sections: tuple[tuple[str, tuple[Described, ...]], ...] = (
        ("Parameters", comment.parameters),
        ("Returns", () if comment.returns is None else (comment.returns,)),
        ("Yields", () if comment.yields is None else (comment.yields,)),
        ("Raises", comment.raises),
    )
    for title, items in sections:
        if not items:
            continue
        yield from ("", title, "-" * len(title))
        for each in items:
            head = " : ".join(filter(None, (each.name, each.type)))
            if head:
                yield head
            yield from _wrapped(each.text, width, "    " if head else "")


def _tagged(
    tags: Mapping[str, str], *, period: str = " "
) -> Callable[[DocComment, int, str], Iterator[str]]:
    """Return what writes tags; `tags` has for each part a pattern of `{type}` and `{name}`."""

    def body(comment: DocComment, width: int, _name: str) -> Iterator[str]:
        yield from _wrapped(tags.get("summary", "") + comment.summary, width)
        if comment.description:
            yield ""
            yield from comment.description.split("\n")
        parts = [("parameter", each) for each in comment.parameters]
        parts += [("returns", comment.returns)] if comment.returns is not None else []
        parts += [("yields", comment.yields)] if comment.yields is not None else []
        parts += [("raises", each) for each in comment.raises]
        if parts:
            yield ""
        for part, each in parts:
            plain = f"{part}:typed" if each.type and f"{part}:typed" in tags else part
            head = tags[plain].format(type=each.type, name=each.name)
            yield from _wrapped(f"{head}{period if each.text else ''}{each.text}", width, "", "  ")

    return body


def _godoc(comment: DocComment, width: int, name: str) -> Iterator[str]:
    said = comment.summary
    if name and not said.startswith(name):
        said = f"{name} {said[:1].lower()}{said[1:]}"
    yield from _wrapped(said, width)
    if comment.description:
        yield ""
        yield from comment.description.split("\n")
    if comment.parameters:
        yield from ("", "Parameters:")
        for each in comment.parameters:
            yield from _wrapped(f"- {each.name}: {each.text}", width, "  ", "    ")
    if comment.returns is not None:
        yield from ("", *_wrapped(f"Returns: {comment.returns.text}", width))


def _rustdoc(comment: DocComment, width: int, _name: str) -> Iterator[str]:
    yield from _lead(comment, width)
    if comment.parameters:
        yield from ("", "# Arguments", "")
        for each in comment.parameters:
            yield from _wrapped(f"* `{each.name}` - {each.text}", width, "", "  ")
    if comment.returns is not None:
        yield from ("", "# Returns", "")
        yield from _wrapped(comment.returns.text, width)
    for title, items in (("Errors", comment.raises),):
        if items:
            yield from ("", f"# {title}", "", *_wrapped(items[0].text, width))


def _xmldoc(comment: DocComment, width: int, _name: str) -> Iterator[str]:
    yield from _element("summary", "", comment.summary, width)
    if comment.description:
        yield from _element("remarks", "", " ".join(comment.description.split()), width)
    for each in comment.parameters:
        yield from _element("param", f' name="{each.name}"', each.text, width)
    if comment.returns is not None:
        yield from _element("returns", "", comment.returns.text, width)
    for each in comment.raises:
        yield from _element("exception", f' cref="{each.name}"', each.text, width)


def _element(tag: str, attribute: str, text: str, width: int) -> Iterator[str]:
    said = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    line = f"<{tag}{attribute}>{said}</{tag}>"
    if len(line) <= width:
        yield line
    else:
        yield from (f"<{tag}{attribute}>", *_wrapped(said, width), f"</{tag}>")


def _typed(value: Described, pattern: str) -> str:
    return pattern.format(type=value.type, text=value.text) if value.type else value.text


def _wrapped(text: str, width: int, indent: str = "", further: str | None = None) -> list[str]:
    return textwrap.wrap(
        " ".join(text.split()),
        width,
        initial_indent=indent,
        subsequent_indent=indent if further is None else further,
        break_long_words=False,
        break_on_hyphens=False,
    )


_JAVADOC: Final = {
    "parameter": "@param {name}",
    "returns": "@return",
    "yields": "@return",
    "raises": "@throws {name}",
}

_BODIES: Final[Mapping[Convention, Callable[[DocComment, int, str], Iterator[str]]]] = {
    Convention.GOOGLE: _google,
    Convention.NUMPY: _numpy,
    Convention.REST: _tagged(
        {
            "parameter": ":param {name}:",
            "parameter:typed": ":param {type} {name}:",
            "returns": ":returns:",
            "yields": ":yields:",
            "raises": ":raises {name}:",
        }
    ),
    Convention.EPYTEXT: _tagged(
        {
            "parameter": "@param {name}:",
            "returns": "@return:",
            "yields": "@return:",
            "raises": "@raise {name}:",
        }
    ),
    Convention.JSDOC: _tagged(
        {
            "parameter": "@param {name} -",
            "parameter:typed": "@param {{{type}}} {name} -",
            "returns": "@returns",
            "returns:typed": "@returns {{{type}}}",
            "yields": "@yields",
            "raises": "@throws {{{name}}}",
        }
    ),
    Convention.TSDOC: _tagged(
        {
            "parameter": "@param {name} -",
            "returns": "@returns",
            "yields": "@returns",
            "raises": "@throws {{@link {name}}}",
        }
    ),
    Convention.JAVADOC: _tagged(_JAVADOC),
    Convention.PHPDOC: _tagged(
        {
            "parameter": "@param ${name}",
            "parameter:typed": "@param {type} ${name}",
            "returns": "@return",
            "returns:typed": "@return {type}",
            "yields": "@return",
            "raises": "@throws {name}",
        }
    ),
    Convention.YARD: _tagged(
        {
            "parameter": "@param {name}",
            "parameter:typed": "@param {name} [{type}]",
            "returns": "@return",
            "returns:typed": "@return [{type}]",
            "yields": "@yield",
            "raises": "@raise [{name}]",
        }
    ),
    Convention.DOXYGEN: _tagged({**_JAVADOC, "summary": "@brief "}),
    Convention.GODOC: _godoc,
    Convention.RUSTDOC: _rustdoc,
    Convention.XMLDOC: _xmldoc,
}

# -------------------------------------------------------------------- marks


def _docstring(lines: list[str]) -> Iterator[str]:
    raw = "r" if any("\\" in line for line in lines) else ""
    first, *rest = lines or [""]
    if not rest and not first.endswith('"'):
        yield f'{raw}"""{first}"""'
        return
    yield f'{raw}"""{first}'
    yield from rest
    yield '"""'


def _star(lines: list[str]) -> Iterator[str]:
    if len(lines) == 1:
        yield f"/** {lines[0]} */"
        return
    yield "/**"
    yield from (f" * {line}".rstrip() for line in lines)
    yield " */"


def _each_line(mark: str) -> Callable[[list[str]], Iterator[str]]:
    return lambda lines: (f"{mark} {line}".rstrip() for line in lines)


_MARKED: Final[Mapping[str, Callable[[list[str]], Iterator[str]]]] = {
    '"""': _docstring,
    "/**": _star,
    "//": _each_line("//"),
    "///": _each_line("///"),
    "#": _each_line("#"),
}

_MARKS: Final[Mapping[Convention, str]] = {
    **dict.fromkeys(
        (Convention.GOOGLE, Convention.NUMPY, Convention.REST, Convention.EPYTEXT), '"""'
    ),
    **dict.fromkeys(
        (
            Convention.JSDOC,
            Convention.TSDOC,
            Convention.JAVADOC,
            Convention.PHPDOC,
            Convention.DOXYGEN,
        ),
        "/**",
    ),
    Convention.GODOC: "//",
    Convention.RUSTDOC: "///",
    Convention.XMLDOC: "///",
    Convention.YARD: "#",
}
