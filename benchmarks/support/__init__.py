"""What the benchmarks share: clients, servers to measure against, figures and reports."""
