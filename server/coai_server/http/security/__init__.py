"""Who may come in: tokens, keys, OAuth, roles, rates, and the log of who came."""
