"""Which files may be completed in, and which may be read into a prompt."""
