"""The shared daemon: one process of a user's that keeps models and runs for several doors."""
