"""The language server: from bytes to features."""
