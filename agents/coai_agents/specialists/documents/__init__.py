"""Documents about a whole folder, made from its syntax trees: an API reference, its routes."""
