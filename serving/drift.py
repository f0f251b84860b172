"""How far recent mentions have drifted, as `tympan retrain` last measured it, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from model.registry import Registry


class Drifts(Collector):
    """What stands in a registry when it is asked for; nothing without a registry, or before it was measured."""

    def __init__(self, registry: Registry | None) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        told = self._registry.drift() if self._registry else {}
        distances = GaugeMetricFamily(
            "tympan_drift_distance", "From the texts a model was tested on, 0 to 1.", labels=["version", "what"]
        )
        large = GaugeMetricFamily(
            "tympan_drift_large", "1 if it is large and chance does not explain it.", labels=["version", "what"]
        )
        for drift in told.get("drifts", ()):
            where = [told["version"], drift["what"]]
            distances.add_metric(where, drift["distance"])
            large.add_metric(where, float(drift["large"]))
        measured = GaugeMetricFamily("tympan_drift_measured_timestamp_seconds", "When drift was measured.")
        if told:
            measured.add_metric([], datetime.fromisoformat(told["at"]).timestamp())
        yield from (distances, large, measured)
