"""The diagnostic agent: what programs and tools complain about, and what is behind it."""
