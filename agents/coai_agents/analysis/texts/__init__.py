"""Findings in configuration, templates, and languages of which only the text is read."""
