"""Reading settings: credentials and environment over the settings file over the defaults.

The environment is FAXGATE_SECTION__KEY; a credential of systemd is a file ``section.key`` in $CREDENTIALS_DIRECTORY
(systemd.exec(5), LoadCredential=).
"""

import os
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NestedSecretsSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
)

from gateway.errors import ConfigurationError
from gateway.settings.options import Settings
from gateway.settings.problems import Location, explain, unknown

PREFIX = "FAXGATE_"
FILE_VARIABLE = "FAXGATE_CONFIG"
PLACES = (Path("gateway.toml"), Path("/etc/faxgate/gateway.toml"))

Values = dict[str, Any]


class _Environment(Settings, BaseSettings):
    """The shape that pydantic-settings looks up in the environment."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", enable_decoding=False)


def load(path: Path | None = None) -> Settings:
    """Return the settings of the file *path*, else of FAXGATE_CONFIG, ./gateway.toml or /etc/faxgate/gateway.toml.

    Without any file the defaults and the environment stand alone. Raises ConfigurationError, one line per problem:
    where, which key, what is wrong and what to do.
    """
    file = find(path)
    from_file = _read_file(file) if file else {}
    from_environment = EnvSettingsSource(_Environment)()
    from_credentials = _read_credentials()
    folder = file.parent.absolute() if file else Path.cwd()
    values = _merged(_merged(from_file, from_credentials), from_environment)
    problems = list(_strange_variables())
    try:
        settings = Settings.model_validate(values, context={"folder": folder})
    except ValidationError as error:
        layers = ((from_environment, _variable), (from_credentials, _credential))
        problems += explain(error, str(file or "settings"), layers)
    if problems:
        raise ConfigurationError("\n".join(problems))
    settings._file = file
    return settings


def find(path: Path | None = None) -> Path | None:
    """Return the settings file to read, None when there is none.

    Raises ConfigurationError when one was named that does not exist.
    """
    named = path or (Path(name) if (name := os.environ.get(FILE_VARIABLE)) else None)
    if named is None:
        return next((place for place in PLACES if place.is_file()), None)
    if not named.is_file():
        by = "--config" if path else FILE_VARIABLE
        raise ConfigurationError(f"{named}: there is no such file; correct {by}, or make it with: faxgate init")
    return named


def sample() -> str:
    """Return the text of config/gateway.toml: every option with its default and a sentence."""
    installed = Path(__file__).parents[1] / "gateway.toml"
    in_checkout = Path(__file__).parents[2] / "config" / "gateway.toml"
    return (installed if installed.is_file() else in_checkout).read_text(encoding="utf-8")


def _read_file(file: Path) -> Values:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be read: {error.strerror}; correct its owner or mode") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file}: is not TOML: {error}") from None


def _read_credentials() -> Values:
    folder = os.environ.get("CREDENTIALS_DIRECTORY", "")
    if not folder or not Path(folder).is_dir():
        return {}
    try:
        source = NestedSecretsSettingsSource(
            SecretsSettingsSource(_Environment),
            secrets_dir=folder,
            secrets_prefix="",
            secrets_nested_delimiter=".",
        )
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{folder}: a credential cannot be read: {error}") from None
    return source()


def _merged(below: Values, above: Values) -> Values:
    """Return *below* with what *above* says put over it, table by table."""
    both = dict(below)
    for key, value in above.items():
        under = both.get(key)
        both[key] = _merged(under, value) if isinstance(under, dict) and isinstance(value, dict) else value
    return both


def _strange_variables() -> Iterator[str]:
    """Find variables that look like ours and name no section: pydantic-settings passes them over."""
    for name in os.environ:
        section, nested, _ = name.removeprefix(PREFIX).partition("__")
        if name.startswith(PREFIX) and nested and section.lower() not in Settings.model_fields:
            yield f"{name}: {unknown(section, list(Settings.model_fields), 'section')}"


def _variable(location: Location) -> str:
    return PREFIX + "__".join(str(part).upper() for part in location if isinstance(part, str))


def _credential(location: Location) -> str:
    return "credential " + ".".join(str(part) for part in location if isinstance(part, str))
