"""Runs of workflows in this process, and their events as many may watch them."""
