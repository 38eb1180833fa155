"""What is remembered: what was fixed and how, what is known of a project, what this session did.

Nothing of it is a model's prose. Episodes are changes that a test or the user kept; facts have a
place in a file, or the user said them; and what is sensitive is not remembered at all.
"""
