"""What makes a request sensitive, and what does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from coai_routing.errors import SettingsError
from coai_routing.privacy import personal, sensitivity
from coai_routing.privacy.check_digits import CHECKS
from coai_routing.privacy.personal import find_personal
from coai_routing.privacy.sensitivity import SensitivityRules, assess, redacted, texts_of
from coai_routing.request import Message, ModelRequest

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "ghp_" + "k3Rt9Wq2Zx7Lm4Nb8Vc1Yd6Hf5Gj0Ps3Qa7u"
NO_RULES = SensitivityRules()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("mail = 'ada.byron@analytical-engines.co.uk'", "email"),
        ("call +44 20 7946 1234 now", "phone"),
        ("tel = '(415) 867-5309'", "phone"),
        ("'212-867-5309'", "phone"),
        ("card 4539 1488 0343 6467", "payment-card"),
        ("3782-822463-10005", "payment-card"),
        ("pan=5500005555555559;", "payment-card"),
        ("GB29 NWBK 6016 1331 9268 19", "iban"),
        ("DE89370400440532013000", "iban"),
        ("ssn: 219-09-9999", "us-social-security-number"),
        ("dni 12345678Z", "spanish-id"),
        ("nie X1234567L", "spanish-id"),
        ("cf = RSSMRA85T10A562S", "italian-tax-code"),
        ("nir 1 84 12 76 451 089 46", "french-social-security-number"),
        ("cpf 529.982.247-25", "brazilian-cpf"),
        ("id 11010519491231002X", "chinese-resident-id"),
        ("hetu 131052-308T", "finnish-personal-identity-code"),
        ("pnr 811228-9874", "swedish-personal-identity-number"),
        ("NHS number 943 476 5919", "uk-nhs-number"),
        ("steuer_id = 86095742719", "german-tax-id"),
        ("aadhaar 2341 2341 2346", "indian-aadhaar"),
        ("PESEL: 44051401359", "polish-pesel"),
        ("bsn=111222333", "dutch-bsn"),
    ],
)
def test_personal_data_are_found(text: str, kind: str) -> None:
    assert kind in {datum.kind for datum in find_personal(text)}


@pytest.mark.parametrize(
    "text",
    [
        "user@example.com, admin@sub.example.org, x@y.test, root@localhost.local",
        "noreply@github.io git@github.com:owner/name",
        "@dataclass\nclass A: pass  # x@y",
        "version 4.12.2026 at 0x1234567890abcdef",
        "+1 555 010 0123 is for fiction, +10000000000 is none",
        "'555-555-5555', '000-111-2222'",
        "card 4539 1488 0343 6468",
        "4444444444444",
        "GB29 NWBK 6016 1331 9268 18",
        "666-12-1234 000-12-1234 123-00-1234 123-45-0000",
        "12345678A X1234567A",
        "RSSMRA85T10A562T",
        "1 84 12 76 451 089 47",
        "529.982.247-26 111.111.111-11",
        "110105194912310021",
        "131052-308U",
        "811228-9875",
        "943 476 5919 44051401359 111222333 86095742719 2341 2341 2346",
        "NHS 943 476 5918; pesel 44051401358; bsn 111222334; tin 86095742718; aadhaar 234123412347",
        "MAX = 9007199254740991\nTIMESTAMP = 1763706508",
        "d41d8cd98f00b204e9800998ecf8427e 550e8400-e29b-41d4-a716-446655440000",
        "",
    ],
)
def test_what_only_looks_like_it_is_not(text: str) -> None:
    assert find_personal(text) == ()


@pytest.mark.parametrize(
    "text",
    [
        "# Author: Ada Byron <ada@engines.io>",
        '__author__ = "Ada Byron <ada@engines.io>"',
        "Copyright (c) 1843 Ada Byron\n  ada@engines.io",
        "  * Written by Ada Byron (ada@engines.io).",
        "x = 1  # see ada@engines.io",
        '"maintainers": [{"name": "Ada", "email": "ada@engines.io"}]',
        "mail = 'jane.doe@engines.io'",
        "mail = 'ada@foo.io'",
        "send it to python-dev@engines.io",
    ],
)
def test_addresses_of_authors_and_examples_count_only_if_a_setting_says_so(text: str) -> None:
    assert find_personal(text) == ()
    assert {datum.kind for datum in find_personal(text, emails=True)} == {"email"}
    assert not assess(asking(text), NO_RULES)
    assert assess(asking(text), SensitivityRules(emails=True))


def test_every_check_is_used_and_every_rule_has_one() -> None:
    assert {rule.check for rule in personal.built_in().rules} == set(CHECKS)


def test_a_finding_gives_the_place() -> None:
    text = "İ to ada@engines.io"
    (datum,) = find_personal(text)
    assert text[datum.start : datum.end] == "ada@engines.io"


RULE = '[[rules]]\nkind = "a"\nregex = "{regex}"\nneeds = "a"\ncheck = "{check}"\n'


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("rules = []", "rules"),
        ("not TOML", "cannot be read"),
        (RULE.format(regex="(", check="card"), "no regular expression"),
        (RULE.format(regex="a", check="card"), "no group"),
        (RULE.format(regex="(?P<value>a)", check="odd"), "no check of that name"),
    ],
)
def test_wrong_rules_are_told_with_their_file(tmp_path: Path, content: str, words: str) -> None:
    file = tmp_path / "personal.toml"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(SettingsError, match=words) as caught:
        personal.load_rules(file)
    assert str(file) in str(caught.value)


def asking(text: str = "x = 1", **fields: object) -> ModelRequest:
    return ModelRequest.model_validate({"messages": ({"role": "user", "content": text},), **fields})


@pytest.mark.parametrize(
    ("request_", "rules", "paths", "kinds"),
    [
        (asking(), NO_RULES, (), set[str]()),
        (asking(), NO_RULES, ("src/a.py", "README.md", ".env.example"), set[str]()),
        (asking(f"token = '{TOKEN}'"), NO_RULES, (), {"secret"}),
        (asking("to ada@engines.io"), NO_RULES, (), {"personal"}),
        (asking("to ada@engines.io"), SensitivityRules(personal_data=False), (), set[str]()),
        (asking(), SensitivityRules(privacy_mode=True), (), {"privacy_mode"}),
        (asking(sensitive=True), NO_RULES, (), {"caller"}),
        (asking(), NO_RULES, ("deploy/.env",), {"file"}),
        (asking(), NO_RULES, ("C:\\work\\id_rsa", "home/.ssh/config"), {"file"}),
        (asking(), SensitivityRules(private_files=("secret/",)), ("secret/a.py",), {"file"}),
        (asking(), SensitivityRules(private_files=("secret/",)), ("secret\\a.py",), {"file"}),
        (asking(), SensitivityRules(private_files=("secret/",)), ("public/a.py",), set[str]()),
        (asking("ACME-123456"), SensitivityRules(patterns=("ACME-[0-9]{6}",)), (), {"pattern"}),
        (asking("ACME-12345"), SensitivityRules(patterns=("ACME-[0-9]{6}",)), (), set[str]()),
        (asking(json_schema={"description": TOKEN}), NO_RULES, (), {"secret"}),
        (asking(stop=(TOKEN,)), NO_RULES, (), {"secret"}),
        (ModelRequest(prompt="a", suffix=TOKEN), NO_RULES, (), {"secret"}),
        (ModelRequest(prompt=TOKEN), NO_RULES, (), {"secret"}),
    ],
)
def test_what_makes_a_request_sensitive(
    request_: ModelRequest, rules: SensitivityRules, paths: tuple[str, ...], kinds: set[str]
) -> None:
    found = assess(request_, rules, paths=paths)
    assert {reason.kind for reason in found.reasons} == kinds
    assert bool(found) is bool(kinds)


def test_a_reason_never_repeats_what_was_found() -> None:
    found = assess(asking(f"{TOKEN} ada@engines.io 4539148803436467"), NO_RULES)
    for hidden in (TOKEN, "ada", "4539"):
        assert hidden not in str(found)
    assert str(assess(asking(), NO_RULES)) == "nothing sensitive found"


def test_reasons_are_few() -> None:
    patterns = tuple(f"x{{{n}}}" for n in range(1, 30))
    found = assess(asking("x" * 40), SensitivityRules(patterns=patterns))
    assert len(found.reasons) == sensitivity.MOST_REASONS


def test_redaction_takes_secrets_out_of_every_part() -> None:
    request = ModelRequest(prompt=f"a = '{TOKEN}'", suffix=f"b = '{TOKEN}'")
    assert not assess(redacted(request), NO_RULES)
    chat = ModelRequest(messages=(Message(role="user", content=TOKEN),))
    assert not assess(redacted(chat), NO_RULES)
    assert TOKEN not in "".join(texts_of(redacted(chat)))
