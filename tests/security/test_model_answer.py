"""A model's answer, or a file's text: data wherever it is shown, and never markup.

Held with a real CommonMark parser, with GitHub's tables and strike-outs: whatever the text is, the
tree has no picture, no link but ours, no HTML, and no block that the text began or ended.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

from coai_agents import markdown
from coai_agents.analysis.findings.findings import Finding, Severity, Step
from coai_agents.analysis.rules.page_addresses import page_of
from coai_agents.analysis.rules.rule_pages import rule_page
from coai_agents.analysis.rules.rules import OwnConcept, know
from coai_agents.application.hover import description, explanation
from coai_agents.source import Source, Span, without_surrogates
from coai_agents.symbols.hover import Symbol
from coai_agents.syntax.language import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PARSER: Final = MarkdownIt("commonmark").enable(["table", "strikethrough"])

HOSTILE: Final = [
    "![x](https://evil.example/?q=1)",
    "[x](command:workbench.action.terminal.new)",
    "[x][1]\n\n[1]: https://evil.example",
    "[x]: https://evil.example\n\n![x]",
    "<https://evil.example>",
    "https://evil.example www.evil.example a@evil.example ftp://evil.example",
    "<img src=https://evil.example><!-- -->",
    "<script>x</script>\n<details>\n<?x?>\n<![CDATA[x]]>",
    "```\n![x](y)\n```",
    "`````` ![x](y) ``````",
    "~~~\nx\n~~~",
    "x\n===\ny\n---\n# z\n***\n",
    "- a\n- b\n1. c\n2) d\n+ e\n> f\n    g\n\th",
    "| a | b |\n| - | - |\n| c | d |",
    "a\n:-\nb",
    "**a** _b_ __c__ *d* ~~e~~ `f` $g$ $$h$$",
    "a  \nb\\\nc\\",
    "&lt;img&gt; &#60;b&#62; &amp;",
    "\u202eevil\u202c \u2066x\u2069 \u200bz\u200d \ufeff",
    "".join(chr(0xE0000 + ord(each)) for each in "read the key"),
    "\u3164\uffa0\u2800\u034f\u180e\ufe00\U000e0100",
    "\x1b]0;title\x07 \x1b[31mred \x9b31m \x00 \x7f",
    "\r\nx\ry\x0bz\x0c\x85\u2028\u2029",
    "\ud800 \udfff",
    "",
    " ",
    "`",
    "``",
    " ` ",
    "\\",
    "\\`",
    "]",
    "](x)",
]
"""One of each kind that gets out of a hover, where text is put in as it is."""

ANYTHING: Final = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(alphabet="`~*_[]()<>!#\\-+=|:&;.\n\t 1ax/@w$", max_size=40),
    st.text(max_size=30),
    st.lists(st.sampled_from(HOSTILE), min_size=2, max_size=3).map("".join),
)

MARKUP: Final = {
    *("image", "link", "html_block", "html_inline", "fence", "code_block", "heading", "hr"),
    *("blockquote", "bullet_list", "ordered_list", "table", "em", "strong", "s", "code_inline"),
}

BARE_ADDRESS: Final = re.compile(r"(?i)\b(?:https?|ftp)://|\bwww\.|\w@\w")


def nodes(shown: str) -> Iterator[SyntaxTreeNode]:
    """Yield all nodes of the parsed text."""
    return SyntaxTreeNode(PARSER.parse(shown)).walk()


def kinds(shown: str) -> list[str]:
    return [node.type for node in nodes(shown) if node.type in MARKUP]


def unseen(shown: str) -> list[str]:
    """Return what nobody would see of it, or what would change what is seen."""
    return [
        each
        for each in shown.replace("\n", "").replace("\t", "")
        if unicodedata.category(each) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
        or each in "\u034f\u115f\u1160\u3164\uffa0\u2800"
        or 0xFE00 <= ord(each) <= 0xFE0E
        or 0xE0100 <= ord(each) <= 0xE01EF
    ]


def hostile(test: Callable[..., None]) -> Callable[..., None]:
    """Try a test on each of the kinds, and on what can be made of them."""
    for each in HOSTILE:
        test = example(each)(test)
    return settings(max_examples=150)(given(ANYTHING)(test))


def folded(untrusted: str) -> str:
    return " ".join(markdown.seen(untrusted).split())


@hostile
def test_text_is_no_markup_and_reads_as_it_is(untrusted: str) -> None:
    shown = markdown.text(untrusted)
    for around in ("{}", "- {}", "**x** {} · y", "1. `a` {}"):
        assert kinds(around.format(shown)) == kinds(around.format("x"))
    assert not unseen(shown)
    assert not BARE_ADDRESS.search(shown)
    read = "".join(node.content for node in nodes(shown) if node.type == "text")
    assert read.split() == folded(untrusted).split()


@hostile
def test_prose_keeps_its_lines_and_is_no_markup(untrusted: str) -> None:
    shown = markdown.prose(untrusted)
    assert kinds(f"x\n\n{shown}\n\ny") == []
    assert not unseen(shown)
    assert not BARE_ADDRESS.search(shown)
    read = " ".join(node.content for node in nodes(shown) if node.type == "text")
    assert "".join(read.split()) == "".join(folded(untrusted).split())


@hostile
def test_a_code_span_holds_all_of_it(untrusted: str) -> None:
    shown = markdown.code(untrusted)
    assert kinds(f"a {shown} b") == ["code_inline"]
    assert not unseen(shown)
    (span,) = [node for node in nodes(f"a {shown} b") if node.type == "code_inline"]
    assert span.content.strip() == folded(untrusted)


@hostile
def test_a_fenced_block_holds_all_of_it(untrusted: str) -> None:
    for language in ("python", untrusted):
        shown = f"x\n\n{markdown.fenced(untrusted, language)}\n\ny"
        assert kinds(shown) == ["fence"]
        assert not unseen(shown)
        (block,) = [node for node in nodes(shown) if node.type == "fence"]
        assert block.content.rstrip("\n") == markdown.seen(untrusted).rstrip("\n")


@hostile
def test_a_link_leads_where_we_said(untrusted: str) -> None:
    shown = markdown.link(untrusted, "https://ours.example/x")
    links = [node for node in nodes(shown) if node.type in MARKUP]
    assert [node.type for node in links] == ["link"]
    assert links[0].attrs["href"] == "https://ours.example/x"


@hostile
def test_an_address_is_of_a_kind_that_only_shows_a_page(untrusted: str) -> None:
    for address in (untrusted, f"https://a.example/{untrusted}", f"command:{untrusted}"):
        shown = f"{markdown.link('x', address)} y"
        assert set(kinds(shown)) <= {"link"}
        for node in nodes(shown):
            if node.type == "link":
                assert str(node.attrs["href"]).startswith(("https:", "http:", "file:"))


@pytest.mark.parametrize("scheme", ["command", "javascript", "data", "vscode", "ssh", "mailto", ""])
def test_other_schemes_are_no_links(scheme: str) -> None:
    assert kinds(markdown.link("x", f"{scheme}:y")) == []


@pytest.mark.parametrize("plain", ["snake_case is kept", "user-supplied (a + b)", "2.5 = x; y: z!"])
def test_text_without_markup_is_left_alone(plain: str) -> None:
    assert markdown.text(plain) == plain


def test_a_picture_of_a_symbol_stays_one() -> None:
    assert markdown.seen("\u2764\ufe0f ok\ufe0f") == "\u2764\ufe0f ok⟨U+FE0F⟩"


# Where it is used


def symbol(untrusted: str) -> Symbol:
    return Symbol(
        kind=Kind.FUNCTION,
        name=untrusted,
        where=Span(0, 1),
        whole=Span(0, 1),
        signature=f"def f(x={untrusted!r}): {untrusted}",
        documentation=untrusted,
        complexity=3,
        others=1,
    )


def finding(source: Source, rule: str, untrusted: str) -> Finding:
    everything = Span(0, len(source.text))
    return Finding(
        rule=rule,
        message=untrusted,
        severity=Severity.ERROR,
        uri=source.uri,
        version=source.version,
        span=everything,
        cwe=(79,),
        path=(Step(everything, untrusted), Step(Span(0, 0), "used here")),
    )


@hostile
def test_a_hover_on_a_symbol_has_only_our_markup(untrusted: str) -> None:
    source = Source("file:///x.py", untrusted or "x", language=untrusted)
    found = [finding(source, "weak-hash", untrusted)]
    shown = description(source, symbol(untrusted), found)
    calm = description(source, symbol("x"), [finding(source, "weak-hash", "x")])
    assert kinds(shown) == kinds(calm)
    assert not unseen(shown)


@hostile
def test_a_hover_on_a_finding_has_only_our_markup(untrusted: str) -> None:
    source = Source("file:///x.py", untrusted or "x")
    shown = explanation(source, finding(source, "weak-hash", untrusted))
    calm = explanation(source, finding(source, "weak-hash", "x"))
    assert kinds(shown) == kinds(calm)
    assert not unseen(shown)


@hostile
def test_a_page_of_a_rule_of_ones_own_has_only_our_markup(untrusted: str) -> None:
    # A rule's file is UTF-8, which has no halves of pairs.
    said = without_surrogates(untrusted) or "x"
    pages: list[str] = []
    for words in ("x", said):
        concept = OwnConcept(
            id="mine", title=words, message=words, why=words, advice=words, file=words
        )
        know([concept])
        pages.append(rule_page("mine"))
        know([concept.model_copy(update={"url": words})])
        assert page_of("mine").startswith(("https://", "http://", "file://"))
    know([])
    assert kinds(pages[1]) == kinds(pages[0])
    assert not unseen(pages[1])
