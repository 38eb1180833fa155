"""Functions of other files: their summaries, and what these tell of a call."""
