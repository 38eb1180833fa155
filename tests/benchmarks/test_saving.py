"""Where the benchmark of saving hovers."""

from __future__ import annotations

from benchmarks.saving import DANGEROUS, places_of


def test_hovers_are_on_definitions_and_findings_not_on_prose_that_looks_like_one() -> None:
    text = (
        '"""A module.\n\nclass instances are not\ndef initely this.\n"""\n'
        "class A:\n    @property\n    async def b(self):\n        return eval(self.c)\n"
        + DANGEROUS.format(number=3)
    )
    lines = text.splitlines()
    shown = [lines[each["line"]][each["character"] - 1 :] for each in places_of(text)]
    assert shown == ["A:", "b(self):", "probe_3(request):", "eval(request.args['3'])"]
