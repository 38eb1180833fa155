"""Pages about a whole project: a user guide, a tutorial, its architecture; facts, then words."""
