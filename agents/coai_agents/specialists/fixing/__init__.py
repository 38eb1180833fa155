"""The fixing half of the diagnostic agent: candidates, checks, and the user's own test."""
