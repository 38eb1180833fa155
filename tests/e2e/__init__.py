"""The editor extension in a real VS Code, and other editors as clients of the real server."""
