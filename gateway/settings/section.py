"""A table of the settings file, as every section is one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, model_validator

from gateway.settings.values import resolved

Count = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    """A table of the settings file. Keys that it does not name are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    @model_validator(mode="before")
    @classmethod
    def _read_secret_files(cls, data: Any, info: ValidationInfo) -> Any:
        """Fill each key that has a KEY_file beside it with that file's text."""
        if not isinstance(data, Mapping):
            return data
        read = dict(data)
        for key in cls.model_fields:
            name = read.get(f"{key}_file")
            if not isinstance(name, str) or not name:
                continue
            if read.get(key):
                raise ValueError(f"has both {key} and {key}_file: keep one of them")
            read[key] = _secret_text(resolved(name, info), f"{key}_file")
        return read


def _secret_text(path: str, key: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ValueError(f"names {path} in {key}, which cannot be read: {why}") from None
