"""What becomes of suggestions, and what that changes."""
