"""Profiles of any profiler, in one form: what each function took, and what it called."""
