"""Corrections over HTTP: taken from whoever saw a wrong tag, and kept for retraining (`labels/feedback`)."""
