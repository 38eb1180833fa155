"""Which specialists a free request is for, decided without a model."""
