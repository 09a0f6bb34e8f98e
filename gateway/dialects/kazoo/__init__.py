"""Kazoo's words for our nouns, pure. Names and shapes follow Kazoo's Crossbar 4.3 (faxes and faxboxes, fax_smtp)."""

from gateway.dialects.kazoo.asked import Fields, Invalid, Problems, merged, public, read
from gateway.dialects.kazoo.envelope import Asked, Listed, Page, Problem, Success, error, invalid_field, success
from gateway.dialects.kazoo.fax import (
    FaxRow,
    InboundFax,
    OutboundFax,
    OutgoingRow,
    deleted,
    fax_row,
    fax_shown,
    outgoing_row,
)
from gateway.dialects.kazoo.faxbox import PATHS as FAXBOX_PATHS
from gateway.dialects.kazoo.faxbox import FaxboxPatch, FaxboxShown, FaxboxWish, faxbox_changes, faxbox_shown
from gateway.dialects.kazoo.smtplog import SmtplogDetail, SmtplogRow, smtplog_detail, smtplog_row
from gateway.dialects.kazoo.words import (
    GREGORIAN_EPOCH,
    Place,
    dated_id,
    fax_id,
    from_gregorian,
    place_of,
    plain_id,
    states_in,
    to_gregorian,
)

__all__ = [
    "FAXBOX_PATHS",
    "GREGORIAN_EPOCH",
    "Asked",
    "FaxRow",
    "FaxboxPatch",
    "FaxboxShown",
    "FaxboxWish",
    "Fields",
    "InboundFax",
    "Invalid",
    "Listed",
    "OutboundFax",
    "OutgoingRow",
    "Page",
    "Place",
    "Problem",
    "Problems",
    "SmtplogDetail",
    "SmtplogRow",
    "Success",
    "dated_id",
    "deleted",
    "error",
    "fax_id",
    "fax_row",
    "fax_shown",
    "faxbox_changes",
    "faxbox_shown",
    "from_gregorian",
    "invalid_field",
    "merged",
    "outgoing_row",
    "place_of",
    "plain_id",
    "public",
    "read",
    "smtplog_detail",
    "smtplog_row",
    "states_in",
    "success",
    "to_gregorian",
]
