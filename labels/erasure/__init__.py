"""A person's mentions, erased wherever they are kept, with a receipt.

Each place is a module of its own; `erase` goes through them. Jobs are a place too (`serving/jobs/erasure.py`).
"""
