"""The reports that somebody asks for with a file, checked before its first row is tagged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from model.tagger import Tagger
from serving.exports import Reading
from serving.report.collector import Collector
from serving.report.errors import ReportError
from serving.report.events import read_events
from serving.report.facts import Event, Facts
from serving.report.files import Language, check, read, write
from serving.report.layout import Titles, layout_for
from serving.tables import Table


@dataclass(frozen=True, kw_only=True)
class Request:
    """Where reports are to be written, in which language, and what stands beside them."""

    paths: Sequence[Path]
    language: Language
    layout: Path | None
    earlier: Facts | None
    events: Sequence[Event]
    corrected: bool
    """Whether counts are corrected by how the bundle was tested."""

    @classmethod
    def checked(
        cls,
        paths: Sequence[Path],
        *,
        language: Language,
        layout: Path | None,
        baseline: Path | None,
        events: Path | None,
        corrected: bool,
        others: Sequence[Path],
    ) -> Request:
        """Read what stands beside them. `others` are files of the same run, which no report may be written over.

        ReportError if one of all these cannot be used, ExtraError if a library is missing.
        """
        if not paths:
            raise ReportError("--report", "is missing", "Say where to write it, or leave out what belongs to it")
        taken = [*others, *filter(None, (layout, baseline, events))]
        for path in paths:
            check(path)
            if any(_same(path, other) for other in taken):
                raise ReportError(f"--report: {path}", "is another file of this run", "Choose another name")
            taken.append(path)
        return cls(
            paths=paths,
            language=language,
            layout=layout,
            earlier=read(baseline) if baseline else None,
            events=read_events(events) if events else (),
            corrected=corrected,
        )

    def collector(self, table: Table, tagger: Tagger, reading: Reading, owners: Mapping[str, Titles]) -> Collector:
        """What takes the rows in. ReportError if the layout or the earlier report is of other tags."""
        return Collector(
            table,
            tagger.taxonomy,
            reading,
            layout_for(tagger.taxonomy, self.layout),
            owners=owners,
            earlier=self.earlier,
            events=self.events,
            model=tagger.bundle.version,
            metrics=tagger.bundle.metrics if self.corrected else None,
        )

    def write(self, facts: Facts) -> None:
        """Write all of them; ReportError if one cannot be."""
        for path in self.paths:
            write(path, facts, language=self.language)


def _same(path: Path, other: Path) -> bool:
    return path.resolve() == other.resolve() or (path.exists() and other.exists() and path.samefile(other))
