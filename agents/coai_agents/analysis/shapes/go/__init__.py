"""Go: what a function's tree shows by itself, a module for each kind of mistake."""
