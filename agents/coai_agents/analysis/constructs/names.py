"""Which construct of which library a name of a program stands for.

A type is `s3.Bucket` for a construct with defaults of its own (L2), and `AWS::S3::Bucket`, as
CloudFormation calls it, for one that is a resource and nothing else (L1, `CfnBucket`).
"""

from __future__ import annotations

import re
from typing import Final

LIBRARY: Final = re.compile(r"\baws[_-]cdk\b")
"""What a file that uses the library says somewhere."""

DECIDING: Final = 20_000
"""Characters of a file in which its imports are looked for."""

_PYTHON: Final = re.compile(
    r"^[ \t]{0,40}from[ \t]+aws_cdk(?P<module>[\w.]{0,100})[ \t]+import[ \t]*"
    r"(?:\((?P<many>[^)]{0,3000})\)|(?P<one>[^\n(#]{1,500}))"
    r"|^[ \t]{0,40}import[ \t]+aws_cdk(?P<whole>[\w.]{0,100})(?:[ \t]+as[ \t]+(?P<alias>\w+))?",
    re.MULTILINE,
)
_SCRIPT: Final = re.compile(
    r"\bimport\s+(?:type\s+)?(?:\*\s*as\s+(?P<alias>\w+)|\{(?P<many>[^}]{0,3000})\})\s*from\s*"
    r"[\"'](?:aws-cdk-lib|@aws-cdk)(?P<module>[\w./-]{0,100})[\"']"
    r"|\b(?:const|let|var)\s+(?:(?P<named>\w+)|\{(?P<some>[^}]{0,3000})\})\s*=\s*require\(\s*"
    r"[\"'](?:aws-cdk-lib|@aws-cdk)(?P<required>[\w./-]{0,100})[\"']"
    r"|\bimport\s+(?P<equal>\w+)\s*=\s*require\(\s*"
    r"[\"'](?:aws-cdk-lib|@aws-cdk)(?P<equalled>[\w./-]{0,100})[\"']"
)
_EACH: Final = re.compile(r"(?P<name>\w+)(?:\s+as\s+|\s*:\s*)?(?P<alias>\w+)?")
_SERVICE: Final = re.compile(r"^aws[_-](?P<name>[\w-]+?)(?:[_-]alpha)?$")

_LOW_LEVEL: Final = "Cfn"


class Names:
    """What the imports of a file say."""

    def __init__(self, text: str) -> None:
        self._known: dict[str, tuple[str, ...]] = {}
        """By a local name: the path below the library that it stands for."""
        for match in _PYTHON.finditer(text[:DECIDING]):
            if (listed := match["many"] or match["one"]) is not None:
                self._take(_steps(match["module"]), listed)
            elif match["alias"] is not None:
                self._known[match["alias"]] = _steps(match["whole"])
            else:
                self._known["aws_cdk"] = ()
        for match in _SCRIPT.finditer(text[:DECIDING]):
            module = _steps(match["module"] or match["required"] or match["equalled"] or "")
            if (listed := match["many"] or match["some"]) is not None:
                self._take(module, listed)
            elif alias := match["alias"] or match["named"] or match["equal"]:
                self._known[alias] = module

    def _take(self, module: tuple[str, ...], listed: str) -> None:
        for each in _EACH.finditer(re.sub(r"#[^\n]*|//[^\n]*|\btype\b", "", listed)):
            self._known[each["alias"] or each["name"]] = (*module, each["name"])

    def type_of(self, path: tuple[str, ...]) -> str:
        """Return the type of the construct that a path of names is; empty if it is none."""
        if not path or path[0] not in self._known:
            return ""
        steps = (*self._known[path[0]], *path[1:])
        services = [match["name"] for each in steps[:-1] if (match := _SERVICE.match(each))]
        if len(services) != 1 or not steps[-1][:1].isupper() or not _SERVICE.match(steps[-2]):
            return ""
        service, name = re.sub(r"[_-]", "", services[0]), steps[-1]
        if name.startswith(_LOW_LEVEL):
            return f"AWS::{service}::{name.removeprefix(_LOW_LEVEL)}"
        return f"{service}.{name}"


def _steps(module: str) -> tuple[str, ...]:
    return tuple(each for each in re.split(r"[./]", module) if each)


def camel(name: str) -> str:
    """Return a name of Python as the other languages write it: `enforce_ssl` as `enforceSsl`."""
    first, *others = name.strip("_").split("_")
    return first + "".join(each[:1].upper() + each[1:] for each in others)
