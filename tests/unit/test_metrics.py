"""The metrics: names that dashboards rely on."""

from prometheus_client.parser import text_string_to_metric_families

from gateway import metrics


def families() -> dict[str, str]:
    text = metrics.render().decode()
    return {family.name: family.type for family in text_string_to_metric_families(text)}


def test_every_metric_has_its_name_and_type() -> None:
    ours = {name: kind for name, kind in families().items() if name.startswith("faxgate_")}
    assert ours == {
        "faxgate_smtp_connections_open": "gauge",
        "faxgate_smtp_connections": "counter",
        "faxgate_smtp_transactions": "counter",
        "faxgate_smtp_logins": "counter",
        "faxgate_faxes_finished": "counter",
        "faxgate_pages": "counter",
        "faxgate_attempts": "counter",
        "faxgate_attempts_unknown": "gauge",
        "faxgate_faxes_held": "gauge",
        "faxgate_webhooks": "counter",
        "faxgate_webhooks_sent": "counter",
        "faxgate_poll_recovered": "counter",
        "faxgate_carrier_gate": "gauge",
        "faxgate_media_fetch_seconds": "histogram",
        "faxgate_jobs": "gauge",
        "faxgate_oldest_job_seconds": "gauge",
        "faxgate_outgoing_mails": "counter",
        "faxgate_render_seconds": "histogram",
        "faxgate_stamp_seconds": "histogram",
        "faxgate_sandbox_kills": "counter",
        "faxgate_db_commit_seconds": "histogram",
    }


def test_the_process_itself_is_measured() -> None:
    assert {"process_resident_memory_bytes", "process_open_fds", "python_info"} <= set(families())


def test_what_is_counted_is_rendered() -> None:
    before = metrics.registry.get_sample_value("faxgate_attempts_total", {"outcome": "busy"}) or 0
    metrics.attempts.labels("busy").inc()
    assert f'faxgate_attempts_total{{outcome="busy"}} {before + 1}' in metrics.render().decode()


def test_no_series_tells_when_it_was_made() -> None:
    metrics.attempts.labels("busy").inc()
    assert "_created" not in metrics.render().decode()
