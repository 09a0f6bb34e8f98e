"""Reading what Kazoo's clients send: their JSON by its schema, and what is wrong with it in Kazoo's words.

A type that does not fit is converted where that is possible ("3" for 3, 18884732963 for "18884732963"), as Kazoo does.
"""

import re
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

M = TypeVar("M", bound=BaseModel)
Problems = dict[str, dict[str, dict[str, Any]]]

#: pydantic's word for what a value breaks -> Kazoo's, by its beginning; the first that fits.
_RULES = (
    ("missing", "required"),
    ("string_too_long", "maxLength"),
    ("string_too_short", "minLength"),
    ("string_pattern", "pattern"),
    ("too_long", "maxItems"),
    ("too_short", "minItems"),
    ("greater_than", "minimum"),
    ("less_than", "maximum"),
    ("literal_error", "enum"),
    ("enum", "enum"),
    ("value_error", "wrong_format"),
)
#: Under which name pydantic tells what a rule wanted, and what Kazoo says then.
_TOLD = {
    "maxLength": ("max_length", "String must not be more than {} characters"),
    "minLength": ("min_length", "String must be at least {} characters"),
    "maxItems": ("max_length", "The list must not have more than {} items"),
    "minItems": ("min_length", "The list must have at least {} items"),
    "minimum": ("ge", "Value must be at least {}"),
    "maximum": ("le", "Value must be at most {}"),
    "pattern": ("pattern", "Failed to match pattern '{}'"),
}
#: pydantic's word for a type -> JSON's, by its beginning.
_TYPES = (
    ("string", "string"),
    ("int", "integer"),
    ("float", "number"),
    ("bool", "boolean"),
    ("list", "array"),
    ("dict", "object"),
    ("model", "object"),
)


class Fields(BaseModel):
    """An object of Kazoo's: fields that it does not know are kept."""

    model_config = ConfigDict(extra="allow", coerce_numbers_to_str=True, hide_input_in_errors=True)


class Invalid(Exception):
    """What was sent breaks its schema. ``problems`` is Kazoo's data: dotted path -> rule -> message."""

    def __init__(self, problems: Problems) -> None:
        super().__init__("; ".join(f"{path}: {', '.join(rules)}" for path, rules in problems.items()))
        self.problems = problems


def read(model: type[M], data: Mapping[str, Any]) -> M:
    """Return *data* as a *model*. Raises Invalid, naming every field that is wrong."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        problems: Problems = {}
        for detail in error.errors(include_url=False):
            path, rule = _path(detail, data), _rule(detail)
            rules = problems.setdefault(path, {})
            # Of a value that may be of several types each one is told by itself.
            rules[rule] = _type(detail, rules.get(rule)) if rule == "type" else rules.get(rule) or _about(detail, rule)
        raise Invalid(problems) from None


def _rule(detail: ErrorDetails) -> str:
    return next((rule for start, rule in _RULES if detail["type"].startswith(start)), "type")


def _about(detail: ErrorDetails, rule: str) -> dict[str, Any]:
    wanted = detail.get("ctx", {})
    if rule == "required":
        return {"message": "Field is required but missing"}
    if rule == "enum":
        words = re.findall(r"'([^']*)'", str(wanted.get("expected", "")))
        return {"message": "Value not found in enumerated list of values", "target": words}
    name, message = _TOLD.get(rule, ("", detail["msg"]))
    return {"message": message.format(wanted[name]), "target": wanted[name]} if name in wanted else {"message": message}


def _type(detail: ErrorDetails, told: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what is said of a wrong type; *told* is what was said of another type that would do as well."""
    found = next((theirs for start, theirs in _TYPES if detail["type"].startswith(start)), "object")
    known = str(told["target"]).split(", ") if told else []
    target = ", ".join(dict.fromkeys([*known, found]))
    return {"message": f"Value did not match type(s): {target}", "target": target}


def _path(detail: ErrorDetails, data: Any) -> str:
    """Return the dotted path of a value. A union names its members in ``loc`` too, which no client wrote."""
    parts = []
    for key in detail["loc"]:
        inside = isinstance(data, Mapping) and key in data
        if not inside and not (isinstance(data, list) and isinstance(key, int)):
            if detail["type"] == "missing":
                parts.append(str(key))
            break
        parts.append(str(key).replace(".", "%2E"))
        data = data[key]
    return ".".join(parts)


def public(data: Mapping[str, Any], *owned: str) -> dict[str, Any]:
    """Return *data* without what Kazoo keeps to itself (``_`` and ``pvt_``) and without the fields *owned* by us."""
    return {
        name: value for name, value in data.items() if not name.startswith(("_", "pvt_")) and name not in {"id", *owned}
    }


def merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return *old* with *new* merged into it, objects member by member; null takes a field away (RFC 7396)."""
    result = dict(old)
    for name, value in new.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, Mapping):
            known = result.get(name)
            result[name] = merged(known if isinstance(known, Mapping) else {}, value)
        else:
            result[name] = value
    return result


def addresses(send_to: Any) -> list[str]:
    """Return the texts of a ``send_to``, which is one or a list; empty ones are dropped."""
    texts = [send_to] if isinstance(send_to, str) else send_to or []
    return [text.strip() for text in texts if text.strip()]
