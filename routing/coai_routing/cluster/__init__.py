"""What several machines of one user share: addresses of databases, and kept answers."""
