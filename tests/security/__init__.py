"""What SECURITY.md promises, tried by who would break it: one file for each attacker."""
