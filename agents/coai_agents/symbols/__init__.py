"""What a name is, without a model."""
