"""What security standards ask for, what our rules see of it, and what no static look can tell."""
