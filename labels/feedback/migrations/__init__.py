"""How the tables came to be what they are: each change a revision, run by Alembic when the store is opened.

A change of `labels/feedback/tables.py` needs another file in `versions/`, which a test sees to.
"""
