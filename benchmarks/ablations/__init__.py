"""What each choice in training is worth: `python -m benchmarks.ablations`."""
