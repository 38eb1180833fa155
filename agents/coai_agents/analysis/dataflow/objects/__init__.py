"""Objects of a file's own classes."""
