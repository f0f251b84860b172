"""What fewer bits cost: `python -m benchmarks.quantisation`."""
