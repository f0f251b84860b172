"""Tympan beside other servers: `python -m benchmarks.load`."""
