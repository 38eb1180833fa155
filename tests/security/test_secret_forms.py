"""A secret in any form: it is found, it is masked in whatever is shown, and it does not leave."""

from __future__ import annotations

import base64
import json
import logging
import random
import re
from typing import TYPE_CHECKING

import pytest

from coai_agents.analysis.findings import secrets as static_secrets
from coai_agents.analysis.run.analyzer import analyse
from coai_agents.source import Source
from coai_routing.privacy.secrets import built_in, find_secrets, masked, redact
from coai_routing.privacy.sensitivity import SensitivityRules, assess
from coai_routing.request import ModelRequest
from coai_server.cli import app
from coai_server.daemon import logs
from tests.support.secret_texts import (
    ALNUM,
    ASSIGNMENTS,
    BASE64,
    HEX,
    LOWER,
    PASSWORD_NAMES,
    SECRET_NAMES,
    URLSAFE,
    VALUES,
    assigned,
    drawn,
    kubernetes_secret,
    nested_json,
    password,
)

if TYPE_CHECKING:
    from pathlib import Path

DRAW = random.Random(20)
WORD = "tr0ub4dor"
SHORT = drawn(DRAW, ALNUM, 12)
TEAMS = "https://a.webhook.office.com/webhookb2/"
UUID = VALUES["uuid"](DRAW)
KEY = "\n".join(drawn(DRAW, BASE64, 64) for _ in range(5))
PEM = f"-----BEGIN RSA PRIVATE KEY-----\n{KEY}\n-----END RSA PRIVATE KEY-----\n"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def value(alphabet: str, length: int) -> str:
    return drawn(DRAW, alphabet, length)


@pytest.mark.parametrize("form", ASSIGNMENTS)
def test_a_secret_is_found_in_every_form_of_assignment(form: str) -> None:
    draw = random.Random(form)
    drawn_of_all = [(name, VALUES[kind](draw)) for name in SECRET_NAMES for kind in VALUES]
    drawn_of_all += [(name, password(draw)) for name in PASSWORD_NAMES for _ in range(8)]
    texts = [(assigned(form, name, secret), secret) for name, secret in drawn_of_all]
    missed = [text for text, secret in texts if secret[:8] in redact(text)]
    # What is drawn may look like a word.
    assert len(missed) <= len(texts) // 50, missed[:3]


@pytest.mark.parametrize("form", ASSIGNMENTS)
def test_a_token_is_found_whatever_it_is_assigned_to(form: str) -> None:
    for prefix, alphabet, length in (("ghp_", ALNUM, 36), ("AKIA", "QZXWJKVB234567MP", 16)):
        secret = prefix + value(alphabet, length)
        assert find_secrets(assigned(form, "value_of_it", secret)), form


# Texts around secrets, and a part of each secret; where none is given, the longest random one.
PLACES: list[tuple[str, str, str]] = [
    ("kubernetes data", kubernetes_secret("db-password", "hunter2-is-9x"), "aHVudGVy"),
    ("kubernetes token", kubernetes_secret("api-token", value(ALNUM, 32)), ""),
    ("kubernetes stringData", f"stringData:\n  password: {WORD}\n", WORD),
    ("kubernetes env", f'env:\n- name: "DB_PASSWORD"\n  value: {WORD}\n', WORD),
    ("kubeconfig", f"user:\n  client-key-data: {encoded(PEM)}", encoded(PEM)[60:120]),
    ("docker config", json.dumps({"auths": {"r.io": {"auth": encoded(f"u:{WORD}xyz")}}}), ""),
    ("npmrc", f"//r.acme.io/:_auth={encoded('user:' + value(ALNUM, 16))}\n", encoded("user:")[:6]),
    ("xml element", f"<server><password>{WORD}</password></server>", WORD),
    ("dockerfile", f"ENV DB_PASSWORD {WORD}\n", WORD),
    ("dockerfile, several", f"ENV A=b DB_PASSWORD={WORD} C=d\n", WORD),
    ("before a command", f"PGPASSWORD={WORD} psql -h db", WORD),
    ("curl", f"curl -s -X POST -u admin:{WORD} https://x", WORD),
    ("curl, quoted", f"curl --user 'admin:{WORD}' https://x", WORD),
    ("curl, lines", f"curl https://x \\\n  -u admin:{WORD}", WORD),
    ("curl, list", f'["curl", "-u", "admin:{WORD}"]', WORD),
    ("curl, proxy", f"curl --proxy-user bob:{WORD} x", WORD),
    ("wget", f"wget --user=bob --password={WORD} x", WORD),
    ("mysql", f"mysql -uroot -p{WORD} db", WORD),
    ("sshpass", f"sshpass -p '{WORD}' ssh a@b", WORD),
    ("docker login", f"docker login -u bob -p {WORD} r.io", WORD),
    ("netrc", f"machine x login bob password {WORD}", WORD),
    ("sql", f"ALTER USER bob WITH PASSWORD '{WORD}';", WORD),
    ("connection string", f'"Server=db;UID=sa;PWD={WORD}"', WORD),
    ("connection string, middle", f"Server=db;Pwd={WORD};Database=x", WORD),
    ("address", f"postgres://app:{WORD}@db/x", WORD),
    ("address, with @", f"postgres://app:my@{WORD}@db.acme.io/x", WORD),
    ("phrase", 'password = "correcthorsebatterystaple"', "correcthorse"),
    ("phrase of words", 'password = "correct horse battery staple"', "correct horse"),
    ("phrase, hyphens", "password: correct-horse-battery-staple\n", "correct-horse"),
    ("phrase, environment", "DB_PASSWORD=correcthorsebatterystaple\n", "correcthorse"),
    ("json web key", json.dumps({"kty": "EC", "d": value(URLSAFE, 43)}), ""),
    ("xml key", f"<RSAKeyValue><Modulus>AQ</Modulus><D>{value(BASE64, 86)}</D></RSAKeyValue>", ""),
    ("wireguard", f"[Interface]\nPrivateKey = {VALUES['base64 44'](DRAW)}\n", ""),
    ("pem in base64", f'x = "{encoded(PEM)}"', encoded(PEM)[60:120]),
    ("token in base64", f'x = "{encoded("ghp_" + value(ALNUM, 36))}"', encoded("ghp_")[:5]),
    ("session", f"Cookie: sessionid={value(LOWER, 32)}", ""),
    ("aws session", f"aws_session_token = {value(BASE64, 300)}\n", ""),
    ("teams", f"{TEAMS}{UUID}@{UUID}/IncomingWebhook/{value(HEX, 32)}/{UUID}", UUID),
    ("azure devops", f"x = '{value(ALNUM, 76)}AZDO{value(ALNUM, 4)}'", ""),
    ("github app", f"ghs_123_eyJ{value(URLSAFE, 30)}.{value(URLSAFE, 60)}.{value(ALNUM, 43)}", ""),
    ("runner", f"GR1348941{value(ALNUM, 20)}", ""),
    ("feature flags", f"glffct-{value(ALNUM, 20)}", ""),
    ("two literals", f'x = "ghp_{value(ALNUM, 18)}" "{value(ALNUM, 18)}"', ""),
    ("two literals, added", f"x = 'AKIA' + '{value('QZXWJKVB234567MP', 16)}'", ""),
    ("three literals", f'x = "ghp_{SHORT}" . "{SHORT}" . "{SHORT}"', ""),
    ("two lines", f'x = "glpat-{value(ALNUM, 10)}\\\n{value(ALNUM, 10)}"', ""),
    ("after an escape", f'"a\\nghp_{value(ALNUM, 36)}\\n"', ""),
    ("json in json", nested_json("api_key", value(ALNUM, 32)), ""),
    ("header", f'-H "PRIVATE-TOKEN: {value(ALNUM, 20)}"', ""),
    ("bearer", f"Authorization: Bearer {value(ALNUM, 40)}", ""),
]  # fmt: skip


@pytest.mark.parametrize(("place", "text", "hidden"), PLACES, ids=[each[0] for each in PLACES])
def test_what_stands_in_a_secrets_place_is_masked_and_stays_here(
    place: str, text: str, hidden: str
) -> None:
    assert find_secrets(text), place
    hidden = hidden or max(re.findall(r"[A-Za-z0-9]+", text), key=len)
    assert hidden in text
    assert hidden not in redact(text)
    found = assess(ModelRequest(prompt=f"first = 1\n{text}\nlast = 2\n"), SensitivityRules())
    assert "secret" in {reason.kind for reason in found.reasons}
    assert not assess(ModelRequest(prompt=redact(text)), SensitivityRules())


@pytest.mark.parametrize(
    "text",
    [
        "API_TOKEN=${API_TOKEN}\n",
        "password: {{ .Values.password }}\n",
        "<password>${db.password}</password>",
        "ENV DB_PASSWORD $PASSWORD",
        "curl -u $USER:$PASSWORD https://x",
        "curl -u user:password https://x",
        "docker run -u 1000:1000 image",
        "sshpass -p $PASS ssh a@b",
        '<add key="ApiToken" value="%API_TOKEN%"/>',
        "- name: DB_PASSWORD\n  valueFrom:\n    secretKeyRef: {name: db, key: password}\n",
        '"password": "Enter your password here"',
        '"password": "Mot de passe"',
        '"passwordField": "inputPassword"',
        '"token_type": "Bearer"',
        '"tokenizer": "bert-base-uncased-v2"',
        '"keywords": ["a1b2c3d4e5f6", "x"]',
        '"publicKey": "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A"',
        '"cacheKey": "node-modules-v1-3f786850e387550fdab8"',
        '"integrity": "sha512-AbCdEf0123456789AbCdEf0123456789=="',
        '"resolved": "https://registry.example/token/-/token-1.2.3.tgz"',
        "key: npm-${{ hashFiles('**/package-lock.json') }}",
        "token = self.lexer.next_token2()",
        "tokens = tokenize(source, 12345678)",
        "secret_name: my-application-secrets-v2",
        "auth: { type: oauth2, flow: implicit }",
        "author = 'Somebody 1234567890'",
        "bypass = 'aB3dE5fG7hI9jK1lM3'",
        "monkey: 9f86d081884c7d659a2feaa0c55ad015",
        "partition_key = '9f86d081884c7d659a2feaa0c55ad015'",
        "next_page_token: CAUQAA4f9d0c2b1a",
        "password_min_length = 12345678",
        "password_hash_algorithm = 'pbkdf2_sha256_870000'",
        'session_timeout = "3600000000"',
        "x = 'ghp_' + token_of(user)",
        'names = ["password", "username", "remember_me_2"]',
    ],
)  # fmt: skip
def test_references_labels_and_other_values_are_no_secrets(text: str) -> None:
    assert find_secrets(text) == ()


SHOWN = value(ALNUM, 36)
LINE = f'import os\nos.system("deploy --now " + os.environ["X"] + "ghp_{SHOWN}")\n'


@pytest.mark.parametrize("form", ["text", "json", "sarif"])
def test_no_report_of_an_audit_shows_a_secret(
    form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.py").write_text(LINE, encoding="utf-8")
    (tmp_path / "b.json").write_text(json.dumps({"db_password": WORD}), encoding="utf-8")
    with pytest.raises(SystemExit, match="1"):
        app.main(["audit", "--no-cache", "--jobs", "1", "--format", form, str(tmp_path)])
    shown = "".join(capsys.readouterr())
    assert "secret-found" in shown
    assert SHOWN not in shown
    assert WORD not in shown


def test_a_line_within_a_key_is_masked_by_what_is_around_it() -> None:
    text = f"x = 1\n{PEM}y = 2\n"
    at = text.index(KEY.splitlines()[2])
    assert masked(text, at, at + 64) == "REDACTED"
    assert masked(text, 0, 5) == "x = 1"
    assert masked(text) == redact(text)


def test_the_log_has_no_secret(tmp_path: Path) -> None:
    file = tmp_path / "log"
    root = logging.getLogger()
    before = list(root.handlers), root.level
    logs.configure("info", file)
    try:
        logging.getLogger("coai").info("asked with token=%s of %s", "ghp_" + SHOWN, "x")
        logging.getLogger("coai").info("nothing here")
    finally:
        for handler in [each for each in root.handlers if each not in before[0]]:
            root.removeHandler(handler)
            handler.close()
        root.setLevel(before[1])
    text = file.read_text(encoding="utf-8")
    assert SHOWN not in text
    assert "token=" in text
    assert "nothing here" in text


def test_a_mistake_of_the_detector_is_one_files_note(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(text: str) -> None:
        raise IndexError(text)

    monkeypatch.setattr(static_secrets, "find_secrets", fail)
    source = Source("file:///a.py", "import pickle\npickle.loads(input())\n")
    analysis = analyse(source)
    assert analysis.findings
    assert any("secrets" in note for note in analysis.notes)


@pytest.mark.parametrize("rule", built_in().rules, ids=lambda rule: rule.kind)
def test_no_form_is_slow_on_its_own_beginnings(rule: object) -> None:
    """It ends at all: a repetition that multiplied with another one would not."""
    from coai_routing.privacy.secret_forms import SecretRule  # noqa: PLC0415 - for its type alone

    assert isinstance(rule, SecretRule)
    whole = rule.sample(random.Random(1))
    for cut in (len(whole) // 3, len(whole) - 1):
        assert redact(whole[:cut] * (40_000 // max(1, cut)))
