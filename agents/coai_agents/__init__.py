"""Floor 2: understands code. It knows no editor protocol and no HTTP."""
