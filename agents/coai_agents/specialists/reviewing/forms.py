"""A review for machines: SARIF 2.1.0, and the payload of a review on GitHub."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from coai_agents.analysis.findings.findings import Severity
from coai_agents.markdown import code, text
from coai_agents.specialists.answers import Origin
from coai_agents.specialists.shown import inline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from coai_agents.specialists.reviewing.comments import Comment

SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"

_LEVELS: Final = {
    Severity.ERROR: "error",
    Severity.WARNING: "warning",
    Severity.INFORMATION: "note",
    Severity.HINT: "note",
}


def sarif(comments: Sequence[Comment], notes: Sequence[str]) -> dict[str, Any]:
    """Return a review as one run of SARIF; paths are relative to the folder that was reviewed."""
    rules = sorted({each.rule for each in comments})
    invocation: dict[str, Any] = {"executionSuccessful": True}
    if notes:
        invocation["toolExecutionNotifications"] = [
            {"level": "note", "message": {"text": each}} for each in notes
        ]
    driver = {
        "name": "coai review",
        "version": version("coai"),
        "rules": [{"id": each} for each in rules],
    }
    run = {
        "tool": {"driver": driver},
        "invocations": [invocation],
        "results": [_result(each, rules.index(each.rule)) for each in comments],
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _result(comment: Comment, rule: int) -> dict[str, Any]:
    said = f"{comment.text} {' '.join(comment.evidence)}"
    result: dict[str, Any] = {
        "ruleId": comment.rule,
        "ruleIndex": rule,
        "level": _LEVELS[comment.severity],
        "message": {"text": said},
        "partialFingerprints": {"coaiReview/v1": comment.fingerprint},
        # The old text's lines are none of the file that there is now.
        "locations": [_location(comment.path, 0 if comment.removed else comment.line)],
    }
    if comment.places:
        result["relatedLocations"] = [_location(each.path, each.line) for each in comment.places]
    if comment.origin is Origin.MODEL:
        result["properties"] = {"tags": ["model"], "model": comment.by}
    return result


def _location(path: str, line: int) -> dict[str, Any]:
    from urllib.parse import quote  # noqa: PLC0415 - only for this

    place: dict[str, Any] = {"artifactLocation": {"uri": quote(path)}}
    if line:
        place["region"] = {"startLine": line}
    return {"physicalLocation": place}


def github(comments: Sequence[Comment], notes: Sequence[str]) -> dict[str, Any]:
    """Return the body of `POST /repos/{owner}/{repo}/pulls/{number}/reviews`.

    See https://docs.github.com/en/rest/pulls/reviews. It comments, and neither approves nor
    rejects: that is for people.
    """
    count = len(comments)
    body = "Nothing to say." if not count else f"{count} comment{'s' if count > 1 else ''}."
    if notes:
        body += "\n\n" + "\n".join(f"- {text(each)}" for each in notes)
    return {
        "event": "COMMENT",
        "body": body,
        "comments": [
            {
                "path": each.path,
                "line": each.line,
                "side": "LEFT" if each.removed else "RIGHT",
                "body": _body(each),
            }
            for each in comments
        ],
    }


def _body(comment: Comment) -> str:
    lines = [inline(comment.text), ""]
    lines += [f"- {inline(each)}" for each in comment.evidence]
    if comment.origin is Origin.MODEL:
        lines.append(f"\n*{code(comment.by or 'A model')} says so, unchecked.*")
    lines.append(f"\n{code(comment.rule)}")
    return "\n".join(lines)
