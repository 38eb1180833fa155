"""Specialist agents: the program decides, a model fills slots, a check stands before the user."""
