"""Where a secret stands says how much it matters: less in tests and in what code says of itself."""

from __future__ import annotations

import pytest

from coai_agents.analysis.findings.findings import Severity
from coai_agents.analysis.findings.secrets import secrets_in
from coai_agents.source import Source

_FORM = "ghp_" + "x7Kq2mWz9Rt4Yb6Nc8Vf1Lp3Hs5Jd0GaEuTo"
_PLACE = "Authorization: Basic " + "aGFubmE6N3Y5cTIza3J6OHAx"


@pytest.mark.parametrize(
    ("path", "line", "severity"),
    [
        ("/w/app/main.py", f'key = "{_FORM}"', Severity.ERROR),
        ("/w/tests/main.py", f'key = "{_FORM}"', Severity.WARNING),
        ("/w/app/test_main.py", f'key = "{_FORM}"', Severity.WARNING),
        ("/w/app/main.test.ts", f'const key = "{_FORM}"', Severity.WARNING),
        ("/w/testing.py", f'key = "{_FORM}"', Severity.ERROR),
        ("/w/app/main.py", f"# {_FORM}", Severity.ERROR),
        ("/w/app/main.py", f'send("{_PLACE}")', Severity.WARNING),
        ("/w/spec/main.rb", f'send("{_PLACE}")', Severity.INFORMATION),
        ("/w/app/Main.java", f"/** {_PLACE} */", Severity.INFORMATION),
        ("/w/app/Main.java", f"  * <pre>{_PLACE}</pre>", Severity.INFORMATION),
        ("/w/app/Main.cs", f"/// {_PLACE}", Severity.INFORMATION),
        ("/w/app/main.rb", f"  # {_PLACE}", Severity.INFORMATION),
        ("/w/app/headers.yaml", f"# {_PLACE}", Severity.WARNING),
        ("/w/app/main.py", f'send("{_PLACE}")  # now', Severity.WARNING),
    ],
)
def test_a_secret_s_severity_is_lower_where_it_is_likely_an_example(
    path: str, line: str, severity: Severity
) -> None:
    found, _ = secrets_in(Source(f"file://{path}", f"\n{line}\n"))
    assert [each.severity for each in found] == [severity]
