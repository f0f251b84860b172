"""What the labelling queue saves: `python -m benchmarks.labelling`."""
