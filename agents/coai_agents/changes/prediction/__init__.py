"""The next edit by a model of the user's that predicts edits: its formats, and what is checked."""
