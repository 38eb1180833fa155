"""Cloud resources that a program describes: AWS CDK."""

from __future__ import annotations

import re

import pytest

from coai_agents.analysis.constructs.checks import found_in_constructs
from coai_agents.analysis.run.analyzer import analyse
from coai_agents.analysis.texts.clauses import all_rules
from coai_agents.source import Source
from coai_agents.syntax.tree import parse

CLAUSES = all_rules()["cdk"].find
_MODULES = sorted({match for each in CLAUSES for match in re.findall(r"\bnew (\w+)\.", each.bad)})
SCRIPT = (
    "import { Stack, Duration } from 'aws-cdk-lib';\nimport * as cdk from 'aws-cdk-lib';\n"
    "import { aws_cloudfront_origins as origins } from 'aws-cdk-lib';\n"
    + "".join(
        f"import * as {each} from 'aws-cdk-lib/aws-{each.replace('_', '-')}';\n"
        for each in _MODULES
    )
)


@pytest.mark.parametrize("number", range(len(CLAUSES)))
def test_a_clause_shows_in_its_bad_construct_and_not_in_its_good_one(number: int) -> None:
    clause = CLAUSES[number]
    for code, shows in ((clause.bad, True), (clause.good, False)):
        tree = parse(Source("untitled:stack", f"{SCRIPT}{code}\n", "typescript"), budget=5)
        assert tree is not None
        found = list(found_in_constructs(tree, [clause], float("inf")))
        assert bool(found) is shows, (clause.at, code)


def _rules(text: str, language: str) -> list[str]:
    found = analyse(Source("untitled:stack", text, language), budget=10).findings
    return [each.rule for each in found if each.rule.startswith("cloud-")]


PUBLIC = "cloud-public-access"
CLEAR = "cloud-cleartext-transport"

SPELLINGS = [
    ("python", "from aws_cdk import aws_s3 as s3\ns3.Bucket(self, 'b', PUBLIC)\n"),
    ("python", "import aws_cdk.aws_s3 as s3\nself.b = s3.Bucket(self, 'b', PUBLIC)\n"),
    ("python", "import aws_cdk as cdk\ncdk.aws_s3.Bucket(self, id='b', PUBLIC)\n"),
    (
        "python",
        "from aws_cdk.aws_s3 import (\n  Bucket as B,  # of files\n)\nB(self, 'b', PUBLIC)\n",
    ),
    (
        "python",
        (
            "from aws_cdk.aws_s3 import Bucket\n"
            "YES = True\n"
            "Bucket(self, 'b', public_read_access=YES)\n"
        ),
    ),
    (
        "python",
        (
            "from aws_cdk.aws_s3 import Bucket\n"
            "b = Bucket(self, 'b', versioned=True)\n"
            "b.grant_public_access()\n"
        ),
    ),
    (
        "typescript",
        "import * as s3 from 'aws-cdk-lib/aws-s3';\nnew s3.Bucket(this, 'b', { PUBLIC });\n",
    ),
    (
        "typescript",
        "import { aws_s3 as s3 } from 'aws-cdk-lib';\nnew s3.Bucket(this, 'b', { PUBLIC });\n",
    ),
    (
        "typescript",
        "import { Bucket as B } from '@aws-cdk/aws-s3';\nnew B(this, 'b', { PUBLIC });\n",
    ),
    (
        "typescript",
        "import s3 = require('@aws-cdk/aws-s3');\nnew s3.Bucket(this, 'b', { PUBLIC });\n",
    ),
    (
        "typescript",
        (
            "import { Bucket, BucketProps } from 'aws-cdk-lib/aws-s3';\n"
            "const props: BucketProps = { PUBLIC };\n"
            "new Bucket(this, 'b', props);\n"
        ),
    ),
    (
        "typescript",
        (
            "import { Bucket } from 'aws-cdk-lib/aws-s3';\n"
            "const publicReadAccess = true;\n"
            "new Bucket(this, 'b', { publicReadAccess });\n"
        ),
    ),
    (
        "typescript",
        (
            "import { Bucket } from 'aws-cdk-lib/aws-s3';\n"
            "class S { b = new Bucket(this, 'b', { versioned: true });\n"
            "  f() { this.b.grantPublicAccess(); } }\n"
        ),
    ),
    (
        "javascript",
        "const s3 = require('aws-cdk-lib/aws-s3');\nnew s3.Bucket(this, 'b', { PUBLIC });\n",
    ),
    (
        "javascript",
        "const { Bucket } = require('aws-cdk-lib/aws-s3');\nnew Bucket(this, 'b', { PUBLIC });\n",
    ),
]


@pytest.mark.parametrize(("language", "text"), SPELLINGS)
def test_a_construct_is_known_however_it_is_imported(language: str, text: str) -> None:
    set_ = "public_read_access=True" if language == "python" else "publicReadAccess: true"
    assert PUBLIC in _rules(text.replace("PUBLIC", set_), language)
    if "PUBLIC" in text:
        private = set_.replace("rue", "alse").replace("Talse", "False").replace("talse", "false")
        assert _rules(text.replace("PUBLIC", private), language) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Bucket(self, 'b')", [CLEAR]),
        # Whoever sets one of its protections has decided.
        ("Bucket(self, 'b', versioned=True)", []),
        ("Bucket(self, 'b', encryption=BucketEncryption.S3_MANAGED)", []),
        # What is handed on as a whole may set all of them.
        ("Bucket(self, 'b', **props)", []),
        ("Bucket(self, 'b', encryption=chosen(stage))", []),
        ("Bucket(self, 'b', enforce_ssl=False)", [CLEAR]),
        # Resources of CloudFormation have its rules, and its names.
        ("CfnBucket(self, 'b', access_control='PublicRead')", [PUBLIC]),
        # Another library's class of the same name.
        ("other.Bucket(self, 'b', public_read_access=True)", []),
        ("Distribution(self, 'd', default_bucket=Bucket(self, 'b'))", []),
    ],
)
def test_of_what_is_left_at_its_default_one_thing_is_named(text: str, said: list[str]) -> None:
    head = "from aws_cdk.aws_s3 import Bucket, BucketEncryption, CfnBucket\n"
    assert _rules(f"{head}{text}\n", "python") == said


@pytest.mark.parametrize("language", ["python", "javascript", "typescript"])
@pytest.mark.parametrize(
    "text",
    [
        "import aws_cdk" + "(" * 20_000,
        "// aws-cdk-lib\na = b; b = a; a.b.c.d.addListener(b);",
        "# aws_cdk\n" + "x = x.f(x)\n" * 3_000,
        "from aws_cdk import (" + "a," * 30_000,
        "from aws_cdk.aws_s3 import Bucket\np = {'a': p}\nBucket(s, 'é😀', p, a=[[[[[p]]]]])\n",
    ],
)
def test_hostile_programs_end_in_an_answer(text: str, language: str) -> None:
    assert not analyse(Source("untitled:stack", text, language), budget=0.3).failed
