"""The same change elsewhere."""
