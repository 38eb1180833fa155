"""Workflows: several agents on one thing, as plans that are data and runs that survive a kill."""
