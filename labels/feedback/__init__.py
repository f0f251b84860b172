"""What people say of the tags that a model gave: kept in a database, and made into records.

A correction is about one group of tags of one mention. Nothing is ever changed in the store: who changes their mind
makes another correction, and the newest of each person counts.
"""
