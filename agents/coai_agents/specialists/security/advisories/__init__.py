"""Known vulnerabilities: versions in order, advisories in OSV's form, and where they are kept."""
