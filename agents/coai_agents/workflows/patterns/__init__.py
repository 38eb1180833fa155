"""Orchestration patterns: constructors that give ordinary plans."""
