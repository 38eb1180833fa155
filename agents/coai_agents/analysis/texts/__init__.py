"""Findings in configuration, templates and languages whose values are not followed by the engine."""
