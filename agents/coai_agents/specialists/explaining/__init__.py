"""Explanations of code: facts at once, a model's sentences where they hold against the code."""
