"""Synthesis: what several said becomes statements with their provenance, weighed and validated."""
