"""One file for each attacker of the threat model: see docs/threat-model.md."""
