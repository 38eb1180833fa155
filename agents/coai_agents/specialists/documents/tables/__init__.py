"""Routes that a table of a file lists: Django and its REST framework, Laravel, Nest, Rails."""
