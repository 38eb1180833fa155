"""Floor 3: speaks LSP and the command line."""
