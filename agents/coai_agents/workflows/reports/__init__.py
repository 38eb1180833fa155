"""Reports of runs, for people and for scripts."""
