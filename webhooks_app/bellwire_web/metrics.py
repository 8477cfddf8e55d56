"""The figures of /metrics, read from the database at scrape time: right with any number of processes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from bellwire.store import figures
from bellwire.store.database import reading
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily

from bellwire_web.runtime import Runtime

if TYPE_CHECKING:
    from prometheus_client.core import Metric

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def exposition(runtime: Runtime) -> tuple[bytes, str]:
    """The metrics in Prometheus' text format, and its media type. Raises StoreUnavailable."""
    registry = CollectorRegistry()
    registry.register(_Queues(runtime))
    return generate_latest(registry), MEDIA_TYPE


class _Queues:
    """What waits, what is under way, who works."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def collect(self) -> Iterator[Metric]:
        now = self._runtime.now()
        with reading(self._runtime.store.engine) as connection:
            found = figures.read(connection)
        waiting = GaugeMetricFamily("bellwire_messages_waiting", "Messages scheduled or queued.", labels=["lane"])
        oldest = GaugeMetricFamily(
            "bellwire_messages_oldest_due_seconds", "How long the oldest due message waits.", labels=["lane"]
        )
        for lane in found.lanes:
            waiting.add_metric([lane.lane], lane.waiting)
            late = (now - lane.oldest_due).total_seconds() if lane.oldest_due is not None else 0.0
            oldest.add_metric([lane.lane], max(0.0, late))
        yield waiting
        yield oldest
        for name, text, value in (
            ("bellwire_messages_sending", "Messages in a carrier call now.", found.sending),
            ("bellwire_events_pending", "Events stored and not yet decided.", found.events_pending),
            ("bellwire_events_dead", "Events given up after their tries.", found.events_dead),
            ("bellwire_write_backs_waiting", "Write-backs to platforms not done yet.", found.write_backs_waiting),
            ("bellwire_callbacks_waiting", "Signed callbacks not delivered yet.", found.callbacks_waiting),
            ("bellwire_dlrs_parked", "Receipts whose message is not known yet.", found.dlrs_parked),
        ):
            yield GaugeMetricFamily(name, text, value=value)
        late_by = (now - found.last_beat).total_seconds() if found.last_beat is not None else float("inf")
        yield GaugeMetricFamily("bellwire_workers", "Workers that have a row.", value=found.workers)
        yield GaugeMetricFamily("bellwire_worker_beat_age_seconds", "Age of the youngest worker's beat.", value=late_by)
