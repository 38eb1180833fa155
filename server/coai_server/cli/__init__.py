"""The command line: one file for each command, and what they share.

`app.py` puts them together. Exit codes are 0 for what was asked, 1 for a failure that was said on
standard error, 2 for wrong usage, 130 for Ctrl+C. What a script may want goes to standard output,
everything else to standard error.
"""
