"""Security as a whole: vulnerable dependencies, triage of findings, compliance, threats."""
