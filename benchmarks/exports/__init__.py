"""Whole files: `python -m benchmarks.exports`."""
