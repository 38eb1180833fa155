"""What a project depends on, read from its manifests and lock files; nothing is ever run."""
