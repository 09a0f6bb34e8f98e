"""The sections about faxes: what is sent where, by which carrier."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator

from gateway.fax import Quality, Sight
from gateway.settings.section import Section
from gateway.settings.values import Countries, Country, Duration, FilePath, Listed, PublicKeys, WebUrl

#: What libphonenumber calls a number (PhoneNumberType).
NumberType = Literal[
    "fixed_line",
    "mobile",
    "fixed_line_or_mobile",
    "toll_free",
    "shared_cost",
    "premium_rate",
    "voip",
    "personal_number",
    "pager",
    "uan",
    "voicemail",
    "unknown",
]


class Telnyx(Section):
    """The account at Telnyx."""

    api_key: SecretStr = Field(SecretStr(""), description="The API key (portal: API Keys).")
    api_key_file: FilePath = Field("", description="A file that holds the API key.")
    base_url: WebUrl = Field("https://api.telnyx.com/v2", description="Where the carrier's API is.")
    public_key: PublicKeys = Field(
        (),
        description="The key that webhooks are signed with (portal: Keys & Credentials, Public Key); a list "
        "while it changes. Empty: every webhook is refused.",
    )
    connection_id: str = Field("", description="The fax application that is used when an application names none.")
    sms_from: str = Field(
        "",
        pattern=r"^(\+[1-9][0-9]{6,14})?$",
        description="A number of ours (+12025550100) that texts are sent from, to those whom a request names. "
        "Empty: no texts.",
    )


class CarrierSection(Section):
    """Who carries the faxes over the telephone network."""

    kind: Literal["telnyx"] = Field("telnyx", description="Which carrier.")
    timeout: Duration = Field(
        timedelta(seconds=60), description="How long it may take to answer; then it is not known what it has done."
    )
    settle_delay: Duration = Field(
        timedelta(seconds=5), description="Before the first look at a fax that the carrier has perhaps, perhaps not."
    )
    unknown_patience: Duration = Field(
        timedelta(minutes=15), description="How long the carrier's list may leave that open before a person decides."
    )
    max_calls: int = Field(
        0, ge=0, description="Faxes that it may have at once, over all machines. 0: as many as there are."
    )
    max_per_second: float = Field(
        0, ge=0, description="Faxes that are handed to it in a second, over all machines. 0: as many as there are."
    )
    rest: Duration = Field(
        timedelta(seconds=30),
        description="After five failures in a row it is left alone for so long; then longer, up to twenty times that.",
    )
    telnyx: Telnyx = Field(default_factory=Telnyx, description="The account at Telnyx.")

    @field_validator("timeout")
    @classmethod
    def _positive(cls, value: timedelta) -> timedelta:
        if not value:
            raise ValueError("must be longer than nothing")
        return value


class FaxSection(Section):
    """What is sent where, and how often it is tried."""

    default_country: Country = Field("US", description="Where numbers without + are dialled, if the account says none.")
    attempts: int = Field(3, ge=1, le=20, description="Tries in all, when neither faxbox nor request says.")
    retry_delay: Duration = Field(timedelta(minutes=5), description="Before the second try; it doubles from then on.")
    deadline: Duration = Field(
        timedelta(days=2), description="How long after it was accepted the last try of a fax may begin."
    )
    delay_notice: Duration = Field(
        timedelta(hours=4),
        description="After how long its sender is told, once, that a fax has not gone out yet. 0: never.",
    )
    allowed_countries: Countries = Field(("US", "CA"), description="Where faxes may go.")
    allowed_number_types: Annotated[tuple[NumberType, ...], Listed] = Field(
        ("fixed_line", "mobile", "fixed_line_or_mobile", "toll_free", "voip", "personal_number", "uan"),
        description="Kinds of number that may be dialled, as libphonenumber names them.",
    )
    paper: Literal["letter", "a4", "legal"] = Field("letter", description="The paper that pages are laid out on.")
    pad: bool = Field(False, description="Whether a short page gets white paper up to the length of a whole one.")
    deskew: bool = Field(False, description="Whether a scan that lay askew is set straight.")
    sight: Sight = Field(
        Sight.AUTO,
        description="What a page is taken for when it becomes black and white: auto (each part for what it is), text, "
        "photo or scan.",
    )
    quality: Quality = Field(
        Quality.HIGH,
        description="normal (204x98 dpi), high (204x196), very_high (204x391), ultra_light or ultra_dark (408x391).",
    )
    header: bool = Field(
        True,
        description="Whether date, sender and number stand at the top of every page, as the law asks of senders in the "
        "US (47 CFR 68.318).",
    )
    cover_template: FilePath = Field(
        "",
        description="An HTML file (Jinja2) in place of the cover page of faxboxes that have one; docs/pages.md says "
        "what may stand in it.",
    )
