"""Triage of static findings: what speaks for less severity; nothing is ever taken away."""
