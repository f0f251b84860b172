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
        labels = ["version", "what"]
        distances = GaugeMetricFamily(
            "tympan_drift_ratio", "Distance from a model's test texts, 0 to 1.", labels=labels
        )
        chance = GaugeMetricFamily("tympan_drift_chance_ratio", "What of it chance explains, 0 to 1.", labels=labels)
        for drift in told.get("drifts", ()):
            where = [told["version"], drift["what"]]
            distances.add_metric(where, drift["distance"])
            chance.add_metric(where, drift["chance"])
        measured = GaugeMetricFamily("tympan_drift_measured_timestamp_seconds", "When drift was measured.")
        if told:
            measured.add_metric([], datetime.fromisoformat(told["at"]).timestamp())
        yield from (distances, chance, measured)
