"""Bodies of requests, in the three encodings that Telnyx takes, and what a new fax must say."""

import base64
import binascii
import re
from typing import Any

from aiohttp import web

from gateway.carriers.emulator.errors import ApiError, invalid
from gateway.carriers.emulator.faxes import EmulatedFax
from gateway.carriers.emulator.media import MediaStorage
from gateway.carriers.emulator.settings import MAX_MEDIA_BYTES, EmulatorSettings
from gateway.fax import Direction

_E164 = re.compile(r"\+[1-9][0-9]{5,14}")
_SIP = re.compile(r"sips?:[^@\s]+@[^@\s]+")
_URL = re.compile(r"https?://[^\s/]+\S*")
_DISPLAY_NAME = re.compile(r"[A-Za-z0-9 _~!.+-]{1,128}")
_QUALITIES = ("normal", "high", "very_high", "ultra_light", "ultra_dark")
_SOURCES = ("media_url", "media_name", "contents")

Fields = dict[str, Any]


async def read_fields(request: web.Request) -> Fields:
    """Return the fields of a JSON, multipart or urlencoded body; files as bytes. Raises ApiError(400)."""
    if request.content_type == "application/json":
        try:
            fields = await request.json()
        except ValueError:
            fields = None
        if not isinstance(fields, dict):
            raise ApiError(400, "Bad Request", "The body is not a JSON object.", "10015")
        return fields
    return {name: _form_value(value) for name, value in (await request.post()).items()}


def _form_value(value: object) -> object:
    if isinstance(value, web.FileField):
        with value.file as file:
            return file.read()
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


def new_fax(fields: Fields, settings: EmulatorSettings, media: MediaStorage) -> EmulatedFax:
    """Return the fax that ``POST /faxes`` asks for. Raises ApiError(422), naming the field."""
    connection_id = _required(fields, "connection_id")
    if settings.connection(connection_id) is None:
        raise invalid("connection_id", "The connection does not exist.")
    fax = EmulatedFax(
        Direction.OUTBOUND,
        connection_id,
        _matching(fields, "to", _E164, _SIP, wanted="a number in +E.164 format or a SIP URI"),
        _matching(fields, "from", _E164, wanted="a number in +E.164 format"),
        "queued",
    )
    _read_source(fields, fax, media)
    _read_options(fields, fax)
    return fax


def _read_source(fields: Fields, fax: EmulatedFax, media: MediaStorage) -> None:
    given = [name for name in _SOURCES if fields.get(name) not in (None, "", [])]
    if len(given) != 1:
        raise invalid("media_url", "Exactly one of media_url, media_name and contents is required.")
    if given == ["media_url"]:
        url = fields["media_url"]
        fields = fields | {"media_url": url[0] if isinstance(url, list) and len(url) == 1 else url}
        fax.media_url = _matching(fields, "media_url", _URL, wanted="one absolute URL")
    elif given == ["media_name"]:
        fax.media_name = _required(fields, "media_name")
        if media.get(fax.media_name) is None:
            raise invalid("media_name", "There is no media of this name.")
        if "store_media" in fields:
            raise invalid("store_media", "store_media is not allowed with media_name.")
    else:
        fax.given = read_file(fields, "contents")


def _read_options(fields: Fields, fax: EmulatedFax) -> None:
    if fields.get("client_state"):
        fax.client_state = _base64(fields, "client_state")
    if fields.get("from_display_name"):
        fax.from_display_name = _matching(
            fields, "from_display_name", _DISPLAY_NAME, wanted="at most 128 letters, digits, spaces and -_~!.+"
        )
    if fields.get("webhook_url"):
        fax.webhook_url = _matching(fields, "webhook_url", _URL, wanted="an absolute URL")
    fax.quality = fields.get("quality", "high")
    if fax.quality not in _QUALITIES:
        raise invalid("quality", f"quality must be one of {', '.join(_QUALITIES)}.")
    for name in ("store_media", "store_preview", "monochrome", "t38_enabled"):
        if not isinstance(fields.get(name, False), bool):
            raise invalid(name, f"{name} must be true or false.")
    fax.store_media = fields.get("store_media", False)
    fax.t38_enabled, fax.monochrome = fields.get("t38_enabled", True), fields.get("monochrome", False)


def read_file(fields: Fields, name: str) -> bytes:
    """Return the file part *name*, at most 20 MB of it. Raises ApiError(422)."""
    content = fields.get(name)
    if not isinstance(content, bytes) or not content:
        raise invalid(name, f"{name} must be a file.")
    if len(content) > MAX_MEDIA_BYTES:
        raise invalid(name, f"{name} is larger than 20 MB.")
    return content


def _required(fields: Fields, name: str) -> str:
    value = fields.get(name)
    if isinstance(value, str) and value:
        return value
    raise invalid(name, f"{name} is required, as a string.")


def _matching(fields: Fields, name: str, *forms: re.Pattern[str], wanted: str) -> str:
    value = _required(fields, name)
    if not any(form.fullmatch(value) for form in forms):
        raise invalid(name, f"{name} must be {wanted}.")
    return value


def _base64(fields: Fields, name: str) -> str:
    value = _required(fields, name)
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise invalid(name, f"{name} must be valid Base64.") from None
    return value
