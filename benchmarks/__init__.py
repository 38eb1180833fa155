"""What is promised about speed, memory and quality, measured: `python -m benchmarks.NAME`."""
