"""What is found, as values, and what of it is shown."""
