"""Before it serves, the zygote renders a mail of its own; where that fails it does not begin."""

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
