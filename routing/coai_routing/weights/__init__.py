"""The model store: which weights are here, and where their bytes come from."""
