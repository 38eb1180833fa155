"""What else a prompt shows: definitions, edits, pieces of other files."""
