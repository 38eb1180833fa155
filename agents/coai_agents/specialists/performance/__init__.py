"""The performance specialist: where time goes, what costs more than it has to, and what is faster.

A profile says where time goes, the syntax tree what is done again and again, and the user's own
command which change is faster: nothing is called faster that was not measured so.
"""
