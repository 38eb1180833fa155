"""The web as the user lets tools see it, by the one decision on what leaves this machine."""
