"""Where a suggestion ends, and what of it is shown."""
