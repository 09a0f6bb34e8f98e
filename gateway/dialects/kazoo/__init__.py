"""Kazoo's words for our nouns, pure. Names and shapes follow Kazoo's Crossbar 4.3 (faxes and faxboxes, fax_smtp)."""

from gateway.dialects.kazoo.asked import Fields, Invalid, Problems, merged, public, read
from gateway.dialects.kazoo.envelope import Asked, Listed, Page, Problem, Success, error, invalid_field, success
from gateway.dialects.kazoo.fax import KEPT as FAX_KEPT
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
from gateway.dialects.kazoo.faxbox import (
    FaxboxPatch,
    FaxboxShown,
    FaxboxWish,
    faxbox_changes,
    faxbox_merged,
    faxbox_replaced,
    faxbox_shown,
)
from gateway.dialects.kazoo.results import FOREIGN_CALLER
from gateway.dialects.kazoo.smtplog import SmtplogDetail, SmtplogRow, smtplog_detail, smtplog_row
from gateway.dialects.kazoo.wish import PATHS as FAX_PATHS
from gateway.dialects.kazoo.wish import FaxAction, FaxChanges, FaxWish, as_kept, emails, given, texts, wish_defaults
from gateway.dialects.kazoo.words import (
    GREGORIAN_EPOCH,
    Place,
    dated_id,
    fax_id,
    from_gregorian,
    place_of,
    plain_id,
    read_id,
    states_in,
    to_gregorian,
)

__all__ = [
    "FAXBOX_PATHS",
    "FAX_KEPT",
    "FAX_PATHS",
    "FOREIGN_CALLER",
    "GREGORIAN_EPOCH",
    "Asked",
    "FaxAction",
    "FaxChanges",
    "FaxRow",
    "FaxWish",
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
    "as_kept",
    "dated_id",
    "deleted",
    "emails",
    "error",
    "fax_id",
    "fax_row",
    "fax_shown",
    "faxbox_changes",
    "faxbox_merged",
    "faxbox_replaced",
    "faxbox_shown",
    "from_gregorian",
    "given",
    "invalid_field",
    "merged",
    "outgoing_row",
    "place_of",
    "plain_id",
    "public",
    "read",
    "read_id",
    "smtplog_detail",
    "smtplog_row",
    "states_in",
    "success",
    "texts",
    "to_gregorian",
    "wish_defaults",
]
