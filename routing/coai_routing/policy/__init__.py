"""Which model serves: pure functions of what is known, with their reasons."""
