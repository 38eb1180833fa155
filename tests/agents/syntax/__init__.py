"""Tests of the syntax floor."""
