"""Before it serves, the zygote renders a mail of its own; where that fails it does not begin."""

import os

import pytest

from gateway.sandbox import jobs, rehearsal
from gateway.sandbox.wire import Channel, Header


def test_the_mail_of_the_rehearsal_becomes_pages() -> None:
    rehearsal.rehearse()


def test_a_zygote_that_cannot_render_its_own_mail_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def work(header: Header, channel: Channel, files: list[int]) -> None:
        channel.send({"failed": "MemoryError < render.py:1"})

    monkeypatch.setattr(jobs, "work", work)
    with pytest.raises(RuntimeError, match=r"render\.py:1"):
        rehearsal.rehearse()


def test_the_rehearsal_leaves_nothing_open_and_no_thread() -> None:
    """Children inherit whatever is there when they are forked."""
    rehearsal.rehearse()

    def held() -> tuple[list[str], int]:
        return sorted(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))

    before = held()
    rehearsal.rehearse()
    assert held() == before
