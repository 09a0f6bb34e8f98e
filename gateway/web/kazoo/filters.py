"""Which rows of a list a client wants: Kazoo's ``filter_*`` and their kin, by the document as it is shown."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from multidict import MultiMapping

from gateway.web.kazoo.moments import moment

Matches = Callable[[Mapping[str, Any], datetime], bool]
_NOTHING = object()


def filters(query: MultiMapping[str]) -> Matches | None:
    """Return what a row must be, given the document that is shown and the time of its last change; None when the query
    asks for nothing special. All conditions must hold; a condition that is given twice may hold either way."""
    wanted = [condition for name in dict.fromkeys(query) if (condition := _condition(name, query.getall(name)))]
    since, until = moment(query, "modified_from"), moment(query, "modified_to")
    if since is not None:
        wanted.append(lambda _, modified: modified >= since)
    if until is not None:
        wanted.append(lambda _, modified: modified <= until)
    if not wanted:
        return None
    return lambda shown, modified: all(condition(shown, modified) for condition in wanted)


def _condition(name: str, values: list[str]) -> Matches | None:
    if name.startswith("filter_not_"):
        return _not(_equals(name.removeprefix("filter_not_"), values))
    if name.startswith("filter_"):
        return _equals(name.removeprefix("filter_"), values)
    if name in {"has_key", "key_missing"}:
        has = _each(values, lambda found: found is not _NOTHING)
        return has if name == "has_key" else _each(values, lambda found: found is _NOTHING)
    if name in {"has_value", "missing_value"}:
        empty: tuple[Any, ...] = (_NOTHING, None, "", [], {})
        if name == "has_value":
            return _each(values, lambda found: found not in empty)
        return _each(values, lambda found: found in empty)
    return None


def _equals(key: str, values: list[str]) -> Matches:
    return lambda shown, _: _text(_member(shown, key)) in values


def _each(keys: list[str], holds: Callable[[Any], bool]) -> Matches:
    return lambda shown, _: all(holds(_member(shown, key)) for key in keys)


def _not(condition: Matches) -> Matches:
    return lambda shown, modified: not condition(shown, modified)


def _member(shown: Mapping[str, Any], key: str) -> Any:
    """Return what is at the dotted *key*."""
    found: Any = shown
    for part in key.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return _NOTHING
        found = found[part]
    return found


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None
