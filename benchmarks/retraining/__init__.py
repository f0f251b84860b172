"""Retraining round after round: how long it takes, how fast it learns against training anew, and what it forgets."""
