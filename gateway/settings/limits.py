"""The section about what may be sent in a day."""

from typing import Annotated

from pydantic import Field

from gateway.settings.section import Section

Ceiling = Annotated[int, Field(ge=0)]


class AccountLimits(Section):
    """For all that an account sends."""

    faxes: Ceiling = Field(10_000, description="Faxes a day.")
    pages: Ceiling = Field(50_000, description="Pages a day.")
    new_destinations: Ceiling = Field(2_000, description="Numbers a day that the account has never faxed to.")


class FaxboxLimits(Section):
    """For all that is sent through a faxbox."""

    faxes: Ceiling = Field(5_000, description="Faxes a day.")
    pages: Ceiling = Field(25_000, description="Pages a day.")
    new_destinations: Ceiling = Field(1_000, description="Numbers a day that the account has never faxed to.")


class UserLimits(Section):
    """For all that is sent by somebody who logs in at the SMTP door: what one stolen password may cost."""

    faxes: Ceiling = Field(500, description="Faxes a day.")
    pages: Ceiling = Field(2_500, description="Pages a day.")
    new_destinations: Ceiling = Field(100, description="Numbers a day that the account has never faxed to.")


class LimitsSection(Section):
    """What may be sent in a day (UTC). What is beyond is held until somebody releases it; 0 means no limit. An account,
    a faxbox and a user may have limits of their own (`faxgate faxboxes update ID --daily-limit faxes=100`)."""

    account: AccountLimits = Field(default_factory=AccountLimits, description="For all that an account sends.")
    faxbox: FaxboxLimits = Field(default_factory=FaxboxLimits, description="For all that is sent through a faxbox.")
    user: UserLimits = Field(default_factory=UserLimits, description="For all that a user of the SMTP door sends.")
