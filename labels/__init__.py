"""From people's labels to a dataset."""
