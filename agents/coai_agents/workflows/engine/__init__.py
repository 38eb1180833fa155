"""Carrying plans out: what is ready, who does it, and what becomes of failures."""
