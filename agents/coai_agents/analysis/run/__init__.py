"""Analysis of one file, of many, and in a process of its own."""
