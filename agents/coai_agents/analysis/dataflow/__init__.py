"""Where values come from and where they go: one engine for all languages."""
