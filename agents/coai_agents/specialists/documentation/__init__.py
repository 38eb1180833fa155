"""The documentation agent: skeletons from the syntax tree, a model's words in their slots."""
