"""What other packages add: agents, tools, providers and formatters, found by entry points."""
