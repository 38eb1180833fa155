"""Inline completion: from a snapshot and a cursor to one suggestion, or the reason for none."""
