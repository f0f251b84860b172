"""The report of a tagged file: what is said how often, what is unusual, and in whose words."""

from serving.report.collector import Collector
from serving.report.errors import ReportError
from serving.report.events import read_events
from serving.report.facts import Event, Facts
from serving.report.files import LANGUAGES, check, read, write
from serving.report.layout import Layout, layout_for

__all__ = [
    "LANGUAGES",
    "Collector",
    "Event",
    "Facts",
    "Layout",
    "ReportError",
    "check",
    "layout_for",
    "read",
    "read_events",
    "write",
]
