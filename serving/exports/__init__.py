"""The tagging of files: the same rows in the same order, with new columns, and nothing lost when it is interrupted."""

from serving.exports.checkpoint import discard, interrupted
from serving.exports.output import check_output, output_for, written_aside
from serving.exports.reading import Reading
from serving.exports.summary import Summary
from serving.exports.tagging import tag_table

__all__ = ["Reading", "Summary", "check_output", "discard", "interrupted", "output_for", "tag_table", "written_aside"]
