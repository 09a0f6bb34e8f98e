"""One record for each account that a transaction spoke to, and nothing of one account's mail in another's."""

from datetime import UTC, datetime

from gateway.ids import new_id
from gateway.store.smtplog import records_of
from gateway.transaction import Recipient, Transaction

NOW = datetime(2026, 11, 22, tzinfo=UTC)


def _transaction(*recipients: Recipient, **more: object) -> Transaction:
    transaction = Transaction(new_id(), NOW, "127.0.0.1:25", "127.0.0.1", **more)  # type: ignore[arg-type]  # test data
    transaction.recipients.extend(recipients)
    return transaction


def test_a_transaction_of_one_account_is_one_record() -> None:
    mine = new_id()
    transaction = _transaction(Recipient("a", account_id=mine, accepted=True), account_id=mine)
    transaction.reply = "250 2.0.0 taken"
    (record,) = records_of(transaction, NOW)
    assert (record.id, record.account_id, record.errors) == (transaction.id, mine, [])
    assert [each["written"] for each in record.recipients] == ["a"]


def test_another_account_sees_its_own_refusal_and_nothing_of_the_mail() -> None:
    mine, other = new_id(), new_id()
    transaction = _transaction(
        Recipient("a", account_id=mine, accepted=True),
        Recipient("b", account_id=other, refusal="this number belongs to another faxbox"),
        account_id=mine,
    )
    transaction.subject, transaction.size = "Discharge letter", 1000
    transaction.errors = ["452 4.5.3 this number belongs to another faxbox", "554 5.6.1 nothing to fax"]
    transaction.reply = "554 5.6.1 nothing to fax"
    own, foreign = records_of(transaction, NOW)
    assert own.errors == ["554 5.6.1 nothing to fax"]
    assert [each["written"] for each in own.recipients] == ["a"]
    assert foreign.account_id == other
    assert foreign.id != own.id
    assert foreign.errors == ["452 4.5.3 this number belongs to another faxbox"]
    assert [each["written"] for each in foreign.recipients] == ["b"]
    assert (foreign.subject, foreign.size, foreign.found, foreign.fax_ids) == ("", 0, [], [])


def test_a_transaction_that_spoke_to_no_account_is_one_record_of_nobody() -> None:
    transaction = _transaction(Recipient("x@elsewhere.example", refusal="no faxes are sent for elsewhere"))
    transaction.errors = ["550 5.1.2 no faxes are sent for elsewhere"]
    (record,) = records_of(transaction, NOW)
    assert record.account_id is None
    assert record.errors == transaction.errors
