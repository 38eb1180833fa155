"""Answers to free questions about code: facts first, then a model's words that hold against it."""
