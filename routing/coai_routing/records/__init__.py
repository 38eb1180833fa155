"""What is kept in SQLite: usage, spending, acceptance; and telemetry."""
