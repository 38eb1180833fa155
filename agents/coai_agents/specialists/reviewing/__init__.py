"""Review: what a diff breaks, each comment with its evidence, and never the same one twice."""
