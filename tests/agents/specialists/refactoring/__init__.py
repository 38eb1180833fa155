"""The code agent."""
