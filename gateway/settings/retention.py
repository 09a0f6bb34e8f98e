"""The section about how long things are kept."""

from datetime import timedelta

from pydantic import Field

from gateway.settings.section import Section
from gateway.settings.values import Keeping


class Retention(Section):
    """How long things are kept: durations like 90d, or forever. Accounts may say otherwise for their own faxes."""

    documents: Keeping = Field(
        None,
        description="Mails, pages and received documents, from the end of their fax on. 0s: until the receipt, or the "
        "received fax, has been taken by the mail server of everybody who shall have it.",
    )
    records: Keeping = Field(None, description="What is known of a fax: numbers, names, times, results.")
    smtplog: Keeping = Field(timedelta(days=90), description="Who tried to send what by mail.")
    events: Keeping = Field(timedelta(days=90), description="What the carrier said, as it said it.")
    audit: Keeping = Field(timedelta(days=2190), description="Who viewed, sent, released, deleted or changed what.")
    at_carrier: Keeping = Field(
        None,
        description="A fax at the carrier, from its end on and until its mails are taken. After a restore from a "
        "backup that is older than this, what was sent since cannot be found there: no waiting fax goes without your "
        "word.",
    )
