"""The architecture agent: facts of the module graph first, a model only words them."""
