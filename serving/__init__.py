"""A bundle in, tags out: over HTTP (`app`) and on files (`exports`). Runs without torch."""
