"""Files that are tagged while nobody waits: taken over HTTP, kept in a folder, and worked on by a process of their own.

What a job is stands in its folder and nowhere else, so that a kill of any process, or the loss of the queue, loses no
more than the rows then under way.
"""
