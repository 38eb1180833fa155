"""Findings and their fixes, in an editor: one file per request."""
