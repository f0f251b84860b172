"""A bundle beside a pipeline of the same weights: `python -m benchmarks.speed`."""
