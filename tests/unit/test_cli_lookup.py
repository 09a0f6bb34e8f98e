"""Short forms of ids."""

from uuid import UUID

from gateway.cli.lookup import beginning, shortened

A = UUID("01a20181-f512-7059-9f20-b70b58e5bd6b")
B = UUID("01a20181-f512-7059-9f20-b70c3a5c094c")
C = UUID("02a20181-f512-7059-9f20-b70c3a5c094c")


def test_ids_are_as_short_as_they_can_be() -> None:
    assert shortened([A, B, C]) == {A: "01a20181-f512-7059-9f20-b70b", B: "01a20181-f512-7059-9f20-b70c", C: "02a20181"}
    assert shortened([A, A]) == {A: "01a20181"}
    assert shortened([]) == {}


def test_a_beginning_does_not_end_in_a_dash() -> None:
    assert beginning(A, 8) == "01a20181"
    assert beginning(A, 9) == "01a20181-f"
    assert beginning(A, 12) == "01a20181-f512"
    assert beginning(A, 32) == str(A)
