"""Addresses of shared databases: what may lie where, and that no message repeats a password."""

from __future__ import annotations

import pytest

from coai_routing.cluster.databases import AddressError, check, shared
from coai_routing.cluster.travelling import narrowed_by, travelling
from coai_routing.errors import CoaiError, EgressRefusedError
from coai_routing.settings.loading import load
from coai_routing.settings.schema import PrivacySettings, Settings

SECRET = "pass-w0rd"

LOCAL = [
    ("postgresql://me@127.0.0.1/runs", "PostgreSQL"),
    ("postgres://me@localhost:5433/runs", "PostgreSQL"),
    ("postgresql://me@[::1]:5433/runs", "PostgreSQL"),
    ("postgresql://me@/runs?host=/var/run/postgresql", "PostgreSQL"),
    ("redis://127.0.0.1:6379/0", "Redis"),
]

ELSEWHERE = [
    (f"postgresql://me:{SECRET}@db.example.org/runs", "PostgreSQL"),
    (f"postgresql://me:{SECRET}@127.0.0.1.example.org/runs", "PostgreSQL"),
    (f"postgresql://me:{SECRET}@0.0.0.0/runs", "PostgreSQL"),
    (f"postgresql://me:{SECRET}@[2001:db8::1]/runs?sslmode=verify-ca", "PostgreSQL"),
    (f"rediss://me:{SECRET}@cache.example.org:6380/0", "Redis"),
]

UNUSABLE = [
    (f"postgresql://me:{SECRET}@db.example.org/runs?sslmode=disable", "PostgreSQL"),
    (f"postgresql://me:{SECRET}@db.example.org/runs?sslmode=require", "PostgreSQL"),
    (f"postgresql://me:{SECRET}@127.0.0.1/runs?hostaddr=192.0.2.1", "PostgreSQL"),
    (f"postgresql://me:{SECRET}@127.0.0.1/runs?host=db.example.org", "PostgreSQL"),
    (f"postgresql://me:{SECRET}@127.0.0.1/runs?service=other", "PostgreSQL"),
    (f"postgresql://me:{SECRET}@127.0.0.1,db.example.org/runs", "PostgreSQL"),
    (f"postgresql://me:{SECRET}@/runs", "PostgreSQL"),
    (f"postgresql://me:{SECRET}@127.0.0.1:99999/runs", "PostgreSQL"),
    (f"postgresql://me:{SECRET}@[::1/runs", "PostgreSQL"),
    (f"mysql://me:{SECRET}@127.0.0.1/runs", "PostgreSQL"),
    (f"{SECRET}", "PostgreSQL"),
    (f"redis://me:{SECRET}@cache.example.org/0", "Redis"),
    (f"rediss://me:{SECRET}@cache.example.org/0?ssl_cert_reqs=none", "Redis"),
    (f"postgresql://me:{SECRET}@127.0.0.1/runs", "Redis"),
]


@pytest.mark.parametrize(("url", "kind"), LOCAL)
def test_what_is_on_this_machine_may_always_be_used(url: str, kind: str) -> None:
    store = shared(url, kind)  # type: ignore[arg-type]
    assert store.local
    check(store, PrivacySettings(mode=True))


@pytest.mark.parametrize(("url", "kind"), ELSEWHERE)
def test_what_is_elsewhere_has_to_be_trusted(url: str, kind: str) -> None:
    store = shared(url, kind)  # type: ignore[arg-type]
    assert not store.local
    trusting = PrivacySettings(trusted_hosts=(store.host,))
    check(store, trusting)
    for refusing in (PrivacySettings(), trusting.model_copy(update={"mode": True})):
        with pytest.raises(EgressRefusedError) as refused:
            check(store, refusing)
        assert SECRET not in f"{refused.value} {refused.value.remedy}"
    assert SECRET not in f"{store} {store!r}"
    assert "verify" in store.url or kind == "Redis"


@pytest.mark.parametrize(("url", "kind"), UNUSABLE)
def test_what_cannot_be_used_is_said_without_repeating_it(url: str, kind: str) -> None:
    with pytest.raises(AddressError) as wrong:
        shared(url, kind)  # type: ignore[arg-type]
    error: BaseException | None = wrong.value
    while error is not None:
        remedy = error.remedy if isinstance(error, CoaiError) else ""
        assert SECRET not in f"{error} {remedy}"
        error = error.__cause__


def test_what_a_user_keeps_here_is_kept_on_every_worker() -> None:
    mine = Settings.model_validate(
        {"privacy": {"mode": True, "private": ["*.secret"]}, "routing": {"allow_cloud": False}}
    )
    # The worker's user allows all, even in the environment, which stands above files.
    environ = {"COAI_PRIVACY__MODE": "false", "COAI_ROUTING__ALLOW_CLOUD": "true",
               "COAI_PRIVACY__PRIVATE": '["*.own"]'}  # fmt: skip
    theirs = load(environ=environ)
    assert theirs.settings.routing.allow_cloud
    here = narrowed_by(theirs, travelling(mine))
    assert here.privacy.mode
    assert not here.routing.allow_cloud
    assert set(here.privacy.private) == {"*.secret", "*.own"}


def test_what_travels_widens_nothing() -> None:
    wide = Settings.model_validate({"routing": {"allow_cloud": True}, "privacy": {"mode": False}})
    theirs = load(environ={"COAI_PRIVACY__MODE": "true"})
    here = narrowed_by(theirs, travelling(wide))
    assert here.privacy.mode
    assert not here.routing.allow_cloud
    told = {f"{a}.{b}" for a, each in travelling(wide).items() for b in each}
    assert not any("key" in name or "url" in name or "host" in name for name in told)
