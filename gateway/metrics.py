"""What the gateway counts, for Prometheus. Labels have few values: never a number, an address or an id."""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_PREFIX = "faxgate"
_SECONDS = (0.005, 0.02, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60)
_COMMIT_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10)

disable_created_metrics()  # type: ignore[no-untyped-call]  # the library gives this one no types
registry = CollectorRegistry(auto_describe=True)
ProcessCollector(registry=registry)
PlatformCollector(registry=registry)


def _counter(name: str, says: str, *labels: str) -> Counter:
    return Counter(name, says, labels, namespace=_PREFIX, registry=registry)


def _gauge(name: str, says: str, *labels: str) -> Gauge:
    return Gauge(name, says, labels, namespace=_PREFIX, registry=registry)


def _histogram(name: str, says: str, buckets: tuple[float, ...] = _SECONDS) -> Histogram:
    return Histogram(name, says, namespace=_PREFIX, registry=registry, buckets=buckets)


# Mail in
smtp_connections_open = _gauge("smtp_connections_open", "SMTP connections that are open now", "listener")
smtp_connections = _counter(
    "smtp_connections", "SMTP connections that ended: mail (MAIL was said), nothing, refused", "listener", "outcome"
)
smtp_transactions = _counter(
    "smtp_transactions", "SMTP transactions: accepted, refused, aborted; reason is the Kind", "outcome", "reason"
)
smtp_logins = _counter("smtp_logins", "Logins at the SMTP door: ok, failed, later", "outcome")

# Faxes
faxes_finished = _counter("faxes_finished", "Faxes that came to an end", "direction", "outcome")
pages = _counter("pages", "Pages delivered or received", "direction")
attempts = _counter("attempts", "Faxes handed to the carrier, by what became of it", "outcome")
attempts_unknown = _gauge("attempts_unknown", "Attempts of which nobody knows whether the carrier has them")
faxes_held = _gauge("faxes_held", "Faxes that wait for a person")

# The carrier
webhooks = _counter("webhooks", "The carrier's webhooks: stored, repeated, forged, stale, malformed", "result")
poll_recovered = _counter("poll_recovered", "Events that no webhook had told and the poller found")
carrier_gate = _gauge("carrier_gate", "Whether faxes are handed over: 0 yes, 1 one is tried, 2 the carrier has a rest")
media_fetch_seconds = _histogram("media_fetch_seconds", "Time to fetch a received document from the carrier")

# Work
jobs = _gauge("jobs", "Jobs in the queue", "state", "kind")
oldest_job_seconds = _gauge("oldest_job_seconds", "How long the oldest job that is due has waited")
outgoing_mails = _counter(
    "outgoing_mails", "Tries to hand a mail to the smarthost: sent, deferred, failed, returned", "outcome"
)
render_seconds = _histogram("render_seconds", "Time to render a document")
stamp_seconds = _histogram("stamp_seconds", "Time to make the document of an attempt of rendered pages")
webhooks_sent = _counter("webhooks_sent", "Tries to tell an event to a program: delivered, failed", "outcome")
sandbox_kills = _counter("sandbox_kills", "Confined processes that were ended: time, memory, crash, output", "why")
db_commit_seconds = _histogram("db_commit_seconds", "Time of a commit, with the syncs it waits for", _COMMIT_SECONDS)


def render() -> bytes:
    """Return everything in Prometheus' text format (``CONTENT_TYPE``)."""
    return generate_latest(registry)
