"""What a workflow is: the schema of a plan, its expressions, and the checks when it is loaded."""
