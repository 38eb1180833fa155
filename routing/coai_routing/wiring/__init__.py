"""Everything built from the settings."""
