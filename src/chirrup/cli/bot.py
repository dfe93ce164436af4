"""`chirrup bot run`: a bot out of a Python module, or out of a configuration file and plugins."""

from __future__ import annotations

import importlib
import os
import sys
import tomllib
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from chirrup.bot import Bot, Plugin
from chirrup.core.errors import ChirrupError, ConfigError
from chirrup.server.config_errors import Source, from_validation
from chirrup.server.toml_lines import key_lines

T = TypeVar("T")

PASSWORD: Final = "CHIRRUP_BOT_PASSWORD"
"""The environment variable with the password, where the file has none."""


class BotSettings(BaseModel):
    """The configuration file of a bot."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    jid: str
    """The bot's address; with a resource, if it is to have a certain one."""
    password: SecretStr = SecretStr("")
    """Its password. Better in the environment, as CHIRRUP_BOT_PASSWORD."""
    plugins: tuple[str, ...] = Field(min_length=1)
    """What it does: Python modules, each with a Plugin by the name of `plugin`, or module:name."""
    nick: str = ""
    """What it is called in rooms; the localpart of its address if left out."""
    allow: tuple[str, ...] = ("*",)
    """Whom it talks to: addresses, domains, or "*" for everybody."""
    roles: dict[str, tuple[str, ...]] = {}
    """Who has which role, in the same way."""
    subscriptions: Literal["allowed", "everybody", "nobody", "ignore"] = "allowed"
    """Whose requests to see its presence it grants."""
    state: Path | None = None
    """File to keep what it remembers of conversations."""
    apology: str = "Sorry, something went wrong."
    """What it says when it fails; "" for nothing."""
    host: str = ""
    """The server's name or IP address, where DNS doesn't tell it."""
    port: int | None = Field(default=None, ge=1, le=65_535)
    """The server's port, with `host`."""
    ca: Path | None = None
    """PEM file with the only certificate authorities to trust."""
    pin: tuple[str, ...] = ()
    """SHA-256 fingerprints of the only certificates to accept."""
    channel_binding: bool = True
    """Whether the log-in is bound to the TLS connection; not for servers that offer that and can't do it."""


def run(target: str | None, config: Path | None) -> None:
    """Run a bot until Ctrl-C. Raises ChirrupError for what keeps it from running."""
    sys.path.insert(0, str(Path.cwd()))
    if (target is None) == (config is None):
        raise ChirrupError("give either module:bot, or --config FILE")
    bot = configured(config) if config is not None else _found(target or "", "bot", Bot)
    bot.run()


def configured(file: Path) -> Bot:
    """The bot that a file describes. Raises ConfigError."""
    try:
        text = file.read_text("utf-8")
    except UnicodeDecodeError:
        raise ConfigError("is not in UTF-8; save it in that encoding", file=str(file)) from None
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"is no TOML: {error}", file=str(file)) from None
    try:
        settings = BotSettings.model_validate(values)
    except ValidationError as error:
        raise from_validation(error, BotSettings, Source(str(file), key_lines(text))) from None
    plugins = [_found(name, "plugin", Plugin) for name in settings.plugins]
    options: dict[str, Any] = settings.model_dump(exclude={"jid", "password", "plugins", "state", "ca"})
    password = settings.password.get_secret_value() or os.environ.get(PASSWORD, "")
    if not password:
        raise ConfigError(
            f"is missing; give it here, or in the environment as {PASSWORD}", key="password", file=str(file)
        )
    for name, path in (("state", settings.state), ("ca", settings.ca)):
        options[name] = None if path is None else file.absolute().parent / path.expanduser()
    if options["ca"] and not options["ca"].is_file():  # or the bot would try again for ever
        raise ConfigError(f"there is no file {options['ca']}", key="ca", file=str(file))
    return Bot(settings.jid, password, plugins=plugins, **options)


def _found(target: str, usual: str, kind: type[T]) -> T:
    """What `module:name` names; without a name the one that is called as usual. Raises ChirrupError."""
    module_name, _, name = target.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        if error.name not in (module_name, module_name.partition(".")[0]):
            raise ChirrupError(f"{module_name} can't be imported: {error}") from error
        raise ChirrupError(f"there is no module {module_name!r} here") from None
    found = getattr(module, name or usual, None)
    if not isinstance(found, kind):
        what = "is missing" if found is None else f"is a {type(found).__name__}"
        raise ChirrupError(f"{module_name}:{name or usual} should be a {kind.__name__}; it {what}")
    return found
