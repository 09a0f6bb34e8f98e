"""What commands print: times, harmless texts, JSON values."""

import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from gateway.application import Application
from gateway.cli import show
from gateway.fax import State

NOW = datetime(2026, 11, 22, 15, 30, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("distance", "words"),
    [
        (timedelta(), "0 s ago"),
        (timedelta(seconds=-59), "59 s ago"),
        (timedelta(minutes=-5, seconds=-10), "5 min ago"),
        (timedelta(hours=-2), "2 h ago"),
        (timedelta(days=-1), "1 day ago"),
        (timedelta(days=-400), "1 year ago"),
        (timedelta(minutes=4, seconds=59), "in 5 min"),
        (timedelta(days=89, hours=23), "in 90 days"),
    ],
)
def test_a_time_says_how_far_away_it_is(distance: timedelta, words: str) -> None:
    at = NOW + distance
    assert show.when(at, NOW) == f"{at.astimezone():%Y-%m-%d %H:%M} ({words})"


def test_a_time_in_a_table_is_brief() -> None:
    assert show.when(NOW, NOW, brief=True) == f"{NOW.astimezone():%H:%M} (0 s ago)"
    assert show.when(NOW - timedelta(days=3), NOW, brief=True) == f"{NOW - timedelta(days=3):%Y-%m-%d} (3 days ago)"


def test_texts_from_outside_are_one_line_that_no_terminal_obeys() -> None:
    assert show.harmless("a\x1b[31mb\nc\td\x9b\u202ee é") == "a\ufffd[31mb c d\ufffd\ufffde é"


def test_json_has_ids_as_strings_and_times_in_utc() -> None:
    account = UUID(int=7)
    application = Application(
        id=2**62, account_id=account, name="N", webhook_event_url="", created_at=NOW, updated_at=NOW, extra={"id": 5}
    )
    plain = show.plain({"one": application, "state": State.HELD, "all": (account, None)})
    assert plain["one"]["id"] == str(2**62)
    assert plain["one"]["account_id"] == str(account)
    assert plain["one"]["created_at"] == "2026-11-22T15:30:20Z"
    assert plain["one"]["webhook_timeout_secs"] is None
    assert plain["one"]["extra"] == {"id": 5}  # as it was given
    assert (plain["state"], plain["all"]) == ("held", [str(account), None])
    assert json.loads(json.dumps(plain)) == plain


def test_a_table_is_aligned_and_never_cut_where_no_terminal_is(capsys: pytest.CaptureFixture[str]) -> None:
    long = "x" * 300
    show.table(("ID", "B"), [("1", long), ("22", [True, None, 3])], "nothing")
    assert capsys.readouterr().out.splitlines() == ["ID  B", f"1   {long}", "22  yes, , 3"]


def test_an_empty_table_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    show.table(("ID", "B"), [], "There is nothing.")
    assert capsys.readouterr().out == "There is nothing.\n"


def test_facts_leave_out_what_is_not_known(capsys: pytest.CaptureFixture[str]) -> None:
    show.facts([("name", "[red]a[/red]"), ("empty", ""), ("none", None), ("pages sent", 0)])
    assert capsys.readouterr().out.splitlines() == ["name        [red]a[/red]", "pages sent  0"]
