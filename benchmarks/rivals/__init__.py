"""The rivals of `benchmarks.load`: servers as their users would write them, and the environments that they run in.

Each is a program that imports nothing of ours, since its environment has none of it. All answer `POST /classify`
with `{"inputs": [text, …]}` by a list with the probability of every label for each text.
"""
