"""Fixes of findings: made by rules that are data, and tried before they are offered."""
