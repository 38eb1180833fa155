"""What a model says of a weakness and how it repairs one: only what holds is taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

import pytest

from coai_agents.analysis.run.analyzer import analyse
from coai_agents.application.explain import explain
from coai_agents.fixes.verifier import harmless
from coai_agents.source import Source
from coai_agents.specialists.asking import Asker, NobodyError
from coai_agents.specialists.edits import change
from coai_agents.specialists.security.reasons import TITLE, checked, prompt_for, reason_key
from coai_agents.specialists.security.repairing import repaired
from coai_agents.specialists.targets import Target
from coai_agents.specialists.words import Words
from coai_agents.syntax.tree import parse
from coai_routing.privacy.sensitivity import Sensitivity
from coai_routing.request import Delta, ModelReply
from coai_routing.router.router import Routed

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from coai_agents.analysis.findings.findings import Finding
    from coai_agents.source import Edit
    from coai_agents.syntax.tree import SyntaxTree
    from coai_routing.policy.question import Question
    from coai_routing.router.router import Router

TEXT: Final = '''import sqlite3

from flask import request


def other():
    return 1


def show(database: sqlite3.Connection):
    """This is safe, says the documentation."""
    name = request.args["name"]  # checked before, this is safe
    return database.execute("SELECT * FROM users WHERE name = '" + name + "'").fetchall()
'''
FIXED: Final = """    name = request.args["name"]
    return database.execute("SELECT * FROM users WHERE name = ?", (name,)).fetchall()
"""


class Speaker:
    """A router whose model gives these answers, one after the other."""

    def __init__(self, *answers: str) -> None:
        self._answers = [*answers]
        self.asked: list[Question] = []

    async def answer(self, question: Question) -> Routed:
        """Give the next one."""
        reply = self._next(question)
        return Routed(reply.text, reply, "model", Sensitivity(), "speaker")

    async def stream(self, question: Question) -> AsyncGenerator[Delta]:
        """Give the next one in one piece."""
        reply = self._next(question)
        yield Delta(reply.text)
        yield Delta(reply=reply)

    def _next(self, question: Question) -> ModelReply:
        self.asked.append(question)
        text = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return ModelReply(text=text, finish="stop", model="speaker", provider="test")


def asker(*answers: str) -> Asker:
    return Asker(cast("Router", Speaker(*answers)))


@pytest.fixture
def source() -> Source:
    return Source("file:///work/app.py", TEXT, "python")


def found(source: Source) -> tuple[SyntaxTree, Finding]:
    tree = parse(source)
    assert tree is not None
    return tree, next(each for each in analyse(source).findings if 89 in each.cwe)


@pytest.mark.parametrize(
    ("sentence", "holds"),
    [
        ("The value `name` is put into the text of the query.", True),
        ("Somebody sends ' OR '1'='1 as `name`.", True),
        ("At line 13 the query is made of `name`.", True),
        ("Lines 12 to 13 do it.", True),
        ("It is CWE-89.", True),
        ("The rule sql-injection is right.", True),
        ("The parameter `user` is put into the query.", False),
        ("At line 400 the query is made.", False),
        ("It is CWE-79.", False),
        ("It calls sanitize_name() first.", False),
        ("The function loadUser is to blame.", False),
    ],
)
def test_a_sentence_names_only_what_is_there(source: Source, sentence: str, *, holds: bool) -> None:
    tree, finding = found(source)
    section = checked(Words(sentence, "m", whole=True), tree, finding, "app.py")
    assert [each.text for each in section.statements] == [sentence] * holds


def test_what_comments_claim_is_not_shown(source: Source) -> None:
    tree, finding = found(source)
    asked = prompt_for(tree, finding, "app.py")
    assert "safe" not in asked.about
    assert 'request.args["name"]' in asked.about
    plain = Source(source.uri, TEXT.replace("  # checked before, this is safe", ""), "python")
    assert reason_key(tree, finding) == reason_key(*found(plain)) != ""


async def test_an_explanation_of_a_line_says_how_it_would_be_exploited(source: Source) -> None:
    target = Target("app.py", 13, 13)
    says = "Somebody sends a quote as `name`. It calls `os.system`."
    report = await explain(source, target, asker(says))
    (section,) = (each for each in report.sections if each.title == TITLE)
    (said,) = section.statements
    assert (said.text, said.by) == ("Somebody sends a quote as `name`.", "speaker")
    alone = await explain(source, target, Asker())
    assert TITLE not in [each.title for each in alone.sections]
    assert any("sql-injection" in each.title for each in alone.sections)


async def solves(source: Source, edits: Sequence[Edit], rule: str) -> bool:
    after = harmless(source, edits)
    then = [each.rule for each in analyse(source).findings].count(rule)
    return after is not None and [each.rule for each in after.findings].count(rule) < then


def version(body: str) -> str:
    return f"```python\ndef show(database: sqlite3.Connection):\n{body}```"


async def test_a_version_without_the_finding_is_taken(source: Source) -> None:
    _, finding = found(source)
    same = TEXT[TEXT.index("    name =") :]
    router = Speaker(version(same), version(FIXED))
    made = await repaired(source, finding, "app.py", Asker(cast("Router", router)), solves)
    after = change(source, made.edits).after.text
    assert after == TEXT[: TEXT.index("    name =")] + FIXED.rstrip() + "\n"
    assert (made.from_model, made.by) == (True, "speaker")
    assert "Instead:" in router.asked[0].request.messages[1].content


@pytest.mark.parametrize(
    "body",
    [
        "    return database.execute(eval(request.args['name']))\n",
        "    return (\n",
        "    return missing(database)\n",
        "    return eval(request.args['name'])\n\n\ndef more():\n    return 1\n",
        "    name = request.args['name']\n    return database.execute('SELECT ' + name)  # noqa\n",
    ],
)
async def test_a_version_that_does_harm_is_not(source: Source, body: str) -> None:
    _, finding = found(source)
    with pytest.raises(NobodyError, match="did not pass the checks"):
        await repaired(source, finding, "app.py", asker(version(body)), solves)


async def test_without_a_model_or_a_function_it_is_said(source: Source) -> None:
    _, finding = found(source)
    with pytest.raises(NobodyError, match="none is wanted"):
        await repaired(source, finding, "app.py", Asker(), solves)
    top = Source("file:///w/a.py", "from flask import request\neval(request.args['x'])\n", "python")
    (weak, *_) = (each for each in analyse(top).findings if each.cwe)
    with pytest.raises(NobodyError, match="No function"):
        await repaired(top, weak, "a.py", asker("x"), solves)
