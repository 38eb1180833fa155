"""What each refactoring that needs no model does to a syntax tree, one subject a module."""
