"""The options that most commands have: which configuration, which data folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chirrup.cli.which import VARIABLE

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        envvar=VARIABLE,
        readable=False,  # whoever opens it says what is wrong
        help="Configuration file. Without: ./chirrup.toml or /etc/chirrup/chirrup.toml, if there; else a server for "
        "localhost.",
    ),
]
DataOption = Annotated[
    Path | None, typer.Option("--data", "-d", readable=False, help="Data folder, in place of the configuration's.")
]
ChannelBindingOption = Annotated[
    bool,
    typer.Option(
        help="Whether to bind the log-in to the TLS connection; not for servers that offer that and can't do it, such "
        "as ejabberd 23."
    ),
]
