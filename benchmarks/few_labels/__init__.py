"""Few labels: `python -m benchmarks.few_labels`."""
