"""The settings file that ``faxgate init`` writes, and the records that it advises."""

import tomllib
from collections.abc import Iterator
from typing import Any

import pytest

from gateway.cli.founding import dns_records, filled
from gateway.cli.questions import Answers
from gateway.settings import Settings, sample


def test_values_replace_the_commented_defaults_of_their_section() -> None:
    text = "[a]\n# A sentence.\n#key = 1\n[b.c]\n#key = 1\n#[[d]]\n#key = 1\n"
    assert filled(text, {("b.c", "key"): 'x"y', ("d", "key"): [2]}) == (
        '[a]\n# A sentence.\n#key = 1\n[b.c]\nkey = "x\\"y"\n#[[d]]\nkey = [2]\n'
    )


def test_every_option_of_the_sample_can_be_filled_in() -> None:
    values = dict(options(Settings().model_dump(mode="json")))
    assert len(values) > 80
    assert tomllib.loads(filled(sample(), values))["fax"]["retry_delay"] == "5m"


def options(settings: dict[str, Any], within: str = "") -> Iterator[tuple[tuple[str, str], object]]:
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from options(value, f"{within}.{key}".lstrip("."))
        elif key != "listeners":
            yield (within, key), value


def test_an_option_that_the_sample_lacks_is_not_lost_in_silence() -> None:
    with pytest.raises(AssertionError):
        filled(sample(), {("fax", "nothing"): 1})


def test_the_dns_gets_mail_hosts_and_the_way_out() -> None:
    settings = Settings.model_validate({"smtp": {"hostname": "fax.x.example"}, "smarthost": {"host": "out.x.example"}})
    assert dns_records(settings, "x.example") == [
        "x.example.        MX   10 fax.x.example.",
        "*.fax.x.example.  MX   10 fax.x.example.",
        'fax.x.example.    TXT  "v=spf1 mx a:out.x.example ~all"',
    ]


@pytest.mark.parametrize(
    ("written", "address"),
    [("mail", ("mail", 25)), ("mail:465", ("mail", 465)), ("192.0.2.1:587", ("192.0.2.1", 587)), ("", ("", 25))],
)
def test_the_smarthost_is_host_and_port(written: str, address: tuple[str, int]) -> None:
    assert Answers(smarthost=written).smarthost_address == address
