"""Documentation that no longer fits: found as findings, mended word by word, or not at all."""

from __future__ import annotations

import pytest

from coai_agents.analysis.findings.documentation import RULE
from coai_agents.analysis.run.analyzer import analyse
from coai_agents.fixes.verifier import applied
from coai_agents.source import Source
from coai_agents.specialists.documentation.mending import documentation_fixes_for
from coai_agents.specialists.edits import code_tokens

RENAMED = {
    "python": 'def pack(box, lid):\n    """Pack a box.\n\n    Args:\n        crate: A box, not a '
    'crate.\n        lid: Its lid.\n    """\n    return box, lid\n',
    "python reST": 'def pack(box, lid):\n    """Pack.\n\n    :param crate: It.\n    :type crate: '
    'Box\n    :param lid: Its lid.\n    """\n    return box, lid\n',
    "python NumPy": 'def pack(box, lid):\n    """Pack.\n\n    Parameters\n    ----------\n'
    '    crate : Box\n        It.\n    lid : Lid\n        On it.\n    """\n    return box, lid\n',
    "javascript": "/**\n * Pack a crate.\n * @param {Box} crate - What is packed.\n"
    " * @param {Lid} lid - Its lid.\n */\nfunction pack(box, lid) { return [box, lid]; }\n",
    "java": "class A {\n  /**\n   * Pack.\n   * @param crate what is packed\n"
    "   * @param lid its lid\n   */\n  int pack(int box, int lid) { return box + lid; }\n}\n",
    "csharp": "class A {\n  /// <summary>Pack a crate.</summary>\n"
    '  /// <param name="crate">What is packed.</param>\n  /// <param name="lid">Its lid.</param>\n'
    "  public int Pack(int box, int lid) { return box + lid; }\n}\n",
    "php": "<?php\n/**\n * Pack.\n * @param int $crate What is packed.\n"
    " * @param int $lid Its lid.\n */\nfunction pack($box, $lid) { return $box + $lid; }\n",
}


def source_of(name: str, text: str) -> Source:
    return Source(f"file:///{name}", text, name.split(maxsplit=1)[0])


@pytest.mark.parametrize("name", RENAMED)
def test_of_a_renamed_parameter_the_name_alone_is_changed(name: str) -> None:
    source = source_of(name, RENAMED[name])
    analysis = analyse(source)
    (found,) = [each for each in analysis.findings if each.rule == RULE]
    assert source.slice(found.span) == "crate"
    assert "It may be `box` now" in found.message
    (fix,) = documentation_fixes_for(source, [found], analysis)
    assert fix.preferred
    assert {source.slice(edit.span) for edit in fix.edits if edit.span} == {"crate"}
    after = applied(source, fix.edits)
    assert [each for each in analyse(after).findings if each.rule == RULE] == []
    assert code_tokens(after) == code_tokens(source)


GONE = (
    'def pack(box, lid):\n    """Pack a box.\n\n{more}    Args:\n        box: It.\n'
    '        lid: Its lid.\n        tape: Around it.\n    """\n    return box, lid\n'
)


def test_an_entry_that_goes_takes_no_other_word_along() -> None:
    source = source_of("python", GONE.format(more=""))
    analysis = analyse(source)
    (fix,) = documentation_fixes_for(source, analysis.findings, analysis)
    assert fix.title == "Take `tape` out of the documentation"
    assert not fix.preferred, "it is words of the user's that go"
    assert applied(source, fix.edits).text == source.text.replace("        tape: Around it.\n", "")


def test_of_several_that_are_missing_all_are_added_at_once() -> None:
    text = (
        'def pack(box, lid, tape, ink):\n    """Pack a crate.\n\n    Args:\n        crate: It.\n'
        '        lid: Its lid.\n    """\n    return box, lid, tape, ink\n'
    )
    source = source_of("python", text)
    analysis = analyse(source)
    missing = [each for each in analysis.findings if "is not documented" in each.message]
    assert len({each.span for each in missing}) == 1
    (fix, *_) = documentation_fixes_for(source, missing, analysis)
    after = analyse(applied(source, fix.edits))
    assert [each.message for each in after.findings if "is not documented" in each.message] == []
    assert "crate: It." in applied(source, fix.edits).text


def test_where_writing_it_anew_would_lose_words_nothing_is_offered() -> None:
    text = (
        'def pack(box, lid):\n    """Pack.\n\n    :param box: It.\n    :type box: Crate\n'
        '    :param lid: Its lid.\n    :param tape: Around it.\n    """\n    return box, lid\n'
    )
    source = source_of("python", text)
    analysis = analyse(source)
    assert [each.rule for each in analysis.findings] == [RULE]
    assert documentation_fixes_for(source, analysis.findings, analysis) == []


def test_a_comment_takes_the_finding_away_as_any_other() -> None:
    marked = RENAMED["javascript"].replace(
        "What is packed.", "What is packed. // coai: ignore[stale-documentation] soon"
    )
    assert analyse(source_of("javascript", marked)).suppressed == 1
