"""What lives as long as the server; no type of LSP in it."""
