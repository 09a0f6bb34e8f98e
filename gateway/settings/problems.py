"""What is wrong with the settings, one line per problem: where, which key, what, and what to do."""

import difflib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from gateway.settings.options import Settings

Location = tuple[int | str, ...]
#: Values from one place, with the name that a key has in that place.
Layer = tuple[dict[str, Any], Callable[[Location], str]]

_SENTENCES = {
    "int_parsing": "is not a whole number",
    "int_type": "is not a whole number",
    "int_from_float": "is not a whole number",
    "bool_parsing": "is neither true nor false",
    "bool_type": "is neither true nor false",
    "string_type": 'must be text in quotes: "..."',
    "tuple_type": "must be a list: [...]",
    "literal_error": "must be one of {expected}",
    "enum": "must be one of {expected}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
}


def explain(error: ValidationError, source: str, layers: Sequence[Layer]) -> Iterator[str]:
    """Yield a line for each problem; *layers* lie over *source* (the file's name), the uppermost first."""
    for found in error.errors(include_url=False):
        location = found["loc"]
        upper = next((name(location) for values, name in layers if _holds(values, location)), "")
        where = upper or f"{source}: {_key(location)}"
        yield f"{where}: {_sentence(found)}"


def unknown(name: str, known: Sequence[str], what: str) -> str:
    """Return the sentence for a *name* that means nothing, with the one of *known* that was probably meant."""
    close = difflib.get_close_matches(name.lower(), known, n=1)
    remedy = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
    return f"there is no such {what}; {remedy}"


def _sentence(found: ErrorDetails) -> str:
    location, context = found["loc"], found.get("ctx", {})
    if found["type"] == "extra_forbidden":
        known = list(_section(location[:-1]).model_fields)
        return unknown(str(location[-1]), known, "key" if len(location) > 1 else "section")
    if found["type"] == "value_error":
        return str(context["error"])
    if found["type"].startswith("model_"):
        return "must be a table of keys, not a single value"
    return _SENTENCES.get(found["type"], found["msg"]).format(**context)


def _section(location: Location) -> type[BaseModel]:
    """Return the model of the table at *location*."""
    model: type[BaseModel] = Settings
    for part in location:
        model = (_inner(model, part) if isinstance(part, str) else None) or model
    return model


def _inner(model: type[BaseModel], name: str) -> type[BaseModel] | None:
    """Return the model of the table, or of the list of tables, *name* in *model*; None when it is a plain key."""
    kind = model.model_fields[name].annotation if name in model.model_fields else None
    kinds = (kind, *get_args(kind))
    return next((one for one in kinds if isinstance(one, type) and issubclass(one, BaseModel)), None)


def _holds(values: Any, location: Location) -> bool:
    """Say whether the value at *location* came with *values*; a whole table belongs to nobody in particular."""
    for part in location:
        if not isinstance(values, dict):
            return True
        if part not in values:
            return False
        values = values[part]
    return not isinstance(values, dict)


def _key(location: Location) -> str:
    """Write *location* as the settings file does: ``[smtp] hostname``, ``[[smtp.listeners]] number 2 address``."""
    model: type[BaseModel] = Settings
    tables, number, key = [], "", ""
    for part in location:
        if isinstance(part, int):
            number = number or f" number {part + 1}"
        elif inner := _inner(model, part):
            model = inner
            tables.append(part)
        else:
            key = f" {part}"
            break
    if not tables:
        return f"[{key.strip()}]"
    table = f"[{'.'.join(tables)}]"
    return (f"[{table}]{number}" if number else table) + key
