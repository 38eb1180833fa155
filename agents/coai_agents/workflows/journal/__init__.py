"""What happened in runs, on disk before it counts: events, steps, artifacts, leases."""
