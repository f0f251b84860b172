"""What is learnt of public data: `python -m benchmarks.quality`."""
