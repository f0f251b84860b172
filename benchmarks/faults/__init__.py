"""Overload, faults and hostile input: `python -m benchmarks.faults`."""
