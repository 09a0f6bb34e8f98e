"""What a client asks Telnyx's API to be sent: the fields of ``POST /faxes``, each with its rule."""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from gateway.fax import Quality

FORMATS = ("tiff", "pdf")
#: No real fax is joined of more files.
MOST_URLS = 20
_E164 = re.compile(r"\+[1-9][0-9]{5,14}")
_DISPLAY_NAME = re.compile(r"[A-Za-z0-9 _~!.+-]{1,128}")
_MAX_URL, _MAX_STATE = 2000, 4096
_MISSING, _INVALID_URL, _INVALID, _NOT_E164, _NOT_LISTED, _RANGE = "10004", "10003", "10015", "10016", "10032", "10033"


@dataclass(frozen=True, slots=True)
class Wrong:
    """A field that breaks a rule, and Telnyx's code for that."""

    name: str
    detail: str
    code: str


@dataclass(slots=True)
class FaxWish:
    """A request, read; what is ``wrong`` with it is listed. ``urls`` are where its documents are, if they are not in
    the form and ``media_name`` is "". ``kept`` is what is shown again as it was given."""

    connection_id: object = None
    to: str = ""
    from_number: str = ""
    urls: list[str] = field(default_factory=list)
    media_name: str = ""
    quality: Quality = Quality.HIGH
    t38: bool = True
    monochrome: bool = False
    black_threshold: int | None = None
    display_name: str = ""
    webhook_url: str = ""
    kept: dict[str, Any] = field(default_factory=dict)
    wrong: list[Wrong] = field(default_factory=list)


class _Break(Exception):
    """A value breaks its rule."""

    def __init__(self, detail: str, code: str = _INVALID) -> None:
        super().__init__(detail)
        self.detail, self.code = detail, code


def fax_wish(fields: Mapping[str, Any], *, typed: bool, files: int = 0) -> FaxWish:
    """Read *fields* of a request, in which every value is a text unless it is *typed* (JSON); *files* came with it.
    Fields that nobody knows are left out."""
    wish = FaxWish()
    given = {name: value for name, value in fields.items() if value not in (None, "")}
    given = given if typed else {name: _typed(name, value) for name, value in given.items()}
    _required(wish, given)
    for name, read in _RULES.items():
        if name in given:
            try:
                setattr(wish, *read(given[name]))
            except _Break as broken:
                wish.wrong.append(Wrong(name, f"{name} {broken.detail}", broken.code))
    for name, rule in _KEPT.items():
        if name in given:
            try:
                wish.kept[name] = rule(given[name])
            except _Break as broken:
                wish.wrong.append(Wrong(name, f"{name} {broken.detail}", broken.code))
    _together(wish, given, files)
    return wish


def _required(wish: FaxWish, given: Mapping[str, Any]) -> None:
    for name in ("connection_id", "to", "from"):
        if name not in given:
            wish.wrong.append(Wrong(name, f"{name} is required", _MISSING))


def _together(wish: FaxWish, given: Mapping[str, Any], files: int) -> None:
    """Rules between fields."""
    sources = [name for name in ("media_url", "media_name") if name in given] + (["contents"] if files else [])
    if not sources:
        wish.wrong.append(Wrong("media_url", "one of media_url, media_name and contents is required", _MISSING))
    elif len(sources) > 1:
        detail = f"{' and '.join(sources)} can't be submitted together"
        wish.wrong.append(Wrong(sources[0], detail, _INVALID))
    if "media_name" in given and wish.kept.get("store_media"):
        detail = "store_media can't be submitted together with media_name"
        wish.wrong.append(Wrong("store_media", detail, _INVALID))
    if wish.black_threshold is not None and not wish.monochrome:
        wish.wrong.append(Wrong("black_threshold", "black_threshold needs monochrome to be true", _INVALID))


def _typed(name: str, value: Any) -> Any:
    """Return what the text of a form means for a field."""
    if name in _FLAGS and isinstance(value, str):
        return {"true": True, "1": True, "false": False, "0": False}.get(value.strip().lower(), value)
    if name == "black_threshold" and isinstance(value, str) and re.fullmatch(r"[0-9]{1,6}", value):
        return int(value)
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise _Break("must be a text")
    return value


def _number(value: Any) -> str:
    text = _text(value)
    if text.lower().startswith(("sip:", "sips:")):
        raise _Break("is a SIP URI; faxes go to telephone numbers only", _NOT_E164)
    if not _E164.fullmatch(text):
        raise _Break("must be a number in E.164 format, like +12025550123", _NOT_E164)
    return text


def _url(value: Any) -> str:
    text = _text(value)
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and text.isprintable() and " " not in text
    except ValueError:
        usable = False
    if not usable or len(text) > _MAX_URL:
        raise _Break(f"must be an absolute http or https URL of at most {_MAX_URL} characters", _INVALID_URL)
    return text


def _urls(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    if not 1 <= len(values) <= MOST_URLS:
        raise _Break(f"must be one URL or a list of at most {MOST_URLS}")
    return [_url(each) for each in values]


def _quality(value: Any) -> Quality:
    try:
        return Quality(value)
    except ValueError:
        raise _Break(f"must be one of {', '.join(Quality)}", _NOT_LISTED) from None


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _Break("must be true or false")
    return value


def _threshold(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 100:
        raise _Break("must be a whole number from 1 to 100", _RANGE)
    return value


def _display_name(value: Any) -> str:
    if not _DISPLAY_NAME.fullmatch(_text(value)):
        raise _Break("may have at most 128 characters: letters, digits, spaces and -_~!.+")
    return str(value)


def _state(value: Any) -> str:
    text = _text(value)
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise _Break("must be a valid Base64 string") from None
    if len(text) > _MAX_STATE:
        raise _Break(f"may have at most {_MAX_STATE} characters")
    return text


def _format(value: Any) -> str:
    if value not in FORMATS:
        raise _Break(f"must be one of {', '.join(FORMATS)}", _NOT_LISTED)
    return str(value)


def _as(attribute: str, rule: Callable[[Any], Any]) -> Callable[[Any], tuple[str, Any]]:
    return lambda value: (attribute, rule(value))


_FLAGS = ("t38_enabled", "monochrome", "store_media", "store_preview")
_RULES = {
    "connection_id": _as("connection_id", lambda value: value),
    "to": _as("to", _number),
    "from": _as("from_number", _number),
    "media_url": _as("urls", _urls),
    "media_name": _as("media_name", _text),
    "quality": _as("quality", _quality),
    "t38_enabled": _as("t38", _flag),
    "monochrome": _as("monochrome", _flag),
    "black_threshold": _as("black_threshold", _threshold),
    "from_display_name": _as("display_name", _display_name),
    "webhook_url": _as("webhook_url", _url),
}
_KEPT: dict[str, Callable[[Any], Any]] = {
    "media_url": lambda value: value,
    "media_name": lambda value: value,
    "from_display_name": lambda value: value,
    "webhook_url": lambda value: value,
    "client_state": _state,
    "store_media": _flag,
    "store_preview": _flag,
    "preview_format": _format,
}
