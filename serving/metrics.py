"""What the service counts and times, for Prometheus: numbers and the names of tags, never a text or an id."""

from __future__ import annotations

import os
from collections import Counter as Tally
from collections.abc import Sequence
from contextlib import AbstractContextManager

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from model.errors import ComputationError
from model.tagger import Failed, Tagged

MEDIA_TYPE = CONTENT_TYPE_PLAIN_0_0_4
STAGES = ("prepare", "tokenise", "infer", "decode")
OTHER = "other"
"""A language that the model was not trained for, or a path that is no route."""

_SHARED = "PROMETHEUS_MULTIPROC_DIR"  # prometheus-client's own: a folder in which processes keep their numbers
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_TOKENS = tuple(2.0**n for n in range(3, 18))
_WINDOWS = tuple(2.0**n for n in range(12))


class Metrics:
    """The metrics of one application, on a registry of their own. Safe to use from several threads.

    Where PROMETHEUS_MULTIPROC_DIR names a folder, `exposition` is that of every process that keeps its numbers there.
    """

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # as many series again, of when each began
        self._registry = registry = CollectorRegistry()

        def counter(name: str, says: str, *labels: str) -> Counter:
            return Counter(f"tympan_{name}", says, labels, registry=registry)

        def histogram(name: str, says: str, buckets: Sequence[float], *labels: str) -> Histogram:
            return Histogram(f"tympan_{name}", says, labels, registry=registry, buckets=buckets)

        where = ("method", "route")
        self._requests = counter("requests", "Requests answered.", *where, "status")
        self._request_seconds = histogram("request_seconds", "From a request to its answer.", _SECONDS, *where)
        self._refusals = counter("refusals", "Requests refused, by why.", "reason")
        self._mentions = counter("mentions", "Mentions: tagged, refused, or failed by the network.", "result")
        self._languages = counter("mention_languages", "Mentions tagged, by language.", "language")
        self._tags = counter("tags", "Tags given to mentions.", "group", "tag")
        self._untagged = counter("untagged_mentions", "Mentions that got no tag of a group.", "group")
        self._tokens = counter("tokens", "Tokens computed by the network.")
        self._request_tokens = histogram("request_tokens", "Tokens to compute for a request.", _TOKENS)
        self._request_windows = histogram("request_windows", "Windows to compute for a request.", _WINDOWS)
        self._hits = counter("cache_hits", "Texts whose answer was remembered.")
        self._misses = counter("cache_misses", "Texts that had to be computed.")
        self._wait_seconds = histogram("wait_seconds", "From the queue to the first text computed.", _SECONDS)
        self._recent_dropped = counter("recent_dropped", "Mentions tagged that could not be remembered.")
        stages = histogram("stage_seconds", "Seconds of a stage; infer is that of one window.", _SECONDS, "stage")
        self._stages = {stage: stages.labels(stage) for stage in STAGES}
        self._queue = Gauge("tympan_queue_tokens", "Tokens waiting.", registry=registry, multiprocess_mode="livesum")
        self._model = Gauge(
            *("tympan_model_info", "The model served, 1, and those served before, 0.", ("version", "taxonomy")),
            registry=registry,
            multiprocess_mode="livemax",
        )
        Gauge("tympan_workers", "Processes that serve.", registry=registry, multiprocess_mode="livesum").set(1)
        self._seen: tuple[str, str] | None = None
        self._shared: list[Collector] = []
        ProcessCollector("tympan", registry=registry)

    def exposition(self) -> bytes:
        """All of it, in Prometheus's text format."""
        if not os.environ.get(_SHARED):
            return generate_latest(self._registry)
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        for collector in self._shared:
            together.register(collector)
        return generate_latest(together)

    def share(self, collector: Collector) -> None:
        """Have a collector asked at every exposition: what it tells is no process's own."""
        self._shared.append(collector)
        self._registry.register(collector)

    def see(self, version: str, taxonomy: str, waiting: int) -> None:
        """The model that is served now, and how many tokens wait for it.

        To be called at every request, and not at scrapes alone: those may come to another process.
        """
        self._queue.set(waiting)
        if (version, taxonomy) != self._seen:
            if self._seen:
                self._model.labels(*self._seen).set(0)
            self._seen = version, taxonomy
            self._model.labels(*self._seen).set(1)

    def leave(self) -> None:
        """Where processes keep their numbers together, take out what holds of this one while it lives: it ends."""
        if os.environ.get(_SHARED):
            mark_process_dead(os.getpid())  # type: ignore[no-untyped-call]

    def answered(self, method: str, route: str, status: int, seconds: float, refusal: str = "") -> None:
        """A request was answered, or refused for a reason."""
        self._requests.labels(method, route, str(status)).inc()
        self._request_seconds.labels(method, route).observe(seconds)
        if refusal:
            self._refusals.labels(refusal).inc()

    def timed(self, stage: str) -> AbstractContextManager[object]:
        """Times its block as one of STAGES."""
        return self._stages[stage].time()

    def remembered(self, hits: int, misses: int) -> None:
        """Texts looked for in the cache."""
        self._hits.inc(hits)
        self._misses.inc(misses)

    def entered(self, tokens: int, windows: int) -> None:
        """A request joined the queue."""
        self._request_tokens.observe(tokens)
        self._request_windows.observe(windows)

    def waited(self, seconds: float) -> None:
        """A worker took the first text of a request."""
        self._wait_seconds.observe(seconds)

    def computed(self, tokens: int, seconds: float) -> None:
        """The network computed one window."""
        self._tokens.inc(tokens)
        self._stages["infer"].observe(seconds)

    def dropped(self, mentions: int) -> None:
        """Mentions were tagged that are not remembered for feedback, though they should be."""
        self._recent_dropped.inc(mentions)

    def tagged(self, results: Sequence[Tagged | Failed], languages: Sequence[str]) -> None:
        """Mentions were answered, by a model that was trained for these languages. Counted towards their own target."""
        found = [result for result in results if isinstance(result, Tagged)]
        self._mentions.labels("tagged").inc(len(found))
        failed = sum(isinstance(one, Failed) and isinstance(one.error, ComputationError) for one in results)
        self._mentions.labels("failed").inc(failed)
        self._mentions.labels("refused").inc(len(results) - len(found) - failed)
        groups = [group for result in found for group in result.tags.items()]
        for language, count in Tally(one.lang if one.lang in languages else OTHER for one in found).items():
            self._languages.labels(language).inc(count)
        for (group, tag), count in Tally((name, score.tag) for name, scores in groups for score in scores).items():
            self._tags.labels(group, tag).inc(count)
        for group, count in Tally(name for name, scores in groups if not scores).items():
            self._untagged.labels(group).inc(count)
