"""A threat model of code: who can reach what, over which boundaries, and what stands between."""
