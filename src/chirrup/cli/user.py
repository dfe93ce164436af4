"""`chirrup user …`: accounts, straight in the store, whether a server runs or not."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from chirrup.cli.options import ConfigOption, DataOption
from chirrup.cli.which import load_config

user = typer.Typer(help="Accounts: add, change, remove, look at.", no_args_is_help=True)

JIDArgument = Annotated[str, typer.Argument(metavar="JID", help="Address, such as alice@example.org.")]
PasswordOption = Annotated[
    str | None,
    typer.Option(
        help="Better left out: others on this machine can see it. Without, it is asked for, or read from standard "
        "input."
    ),
]


@user.command()
def add(
    jid: Annotated[str | None, typer.Argument(metavar="[JID]", help="Address, such as alice@example.org.")] = None,
    password: PasswordOption = None,
    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help='File with many: lines of "jid,password" or JSON objects with these two; - for standard input.',
        ),
    ] = None,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Make an account, or many with --from."""
    from chirrup.cli import accounts
    from chirrup.cli.bulk import add_from

    if (jid is None) == (source is None):
        raise typer.BadParameter("give the address of one account, or --from FILE")
    if source is not None:
        if password is not None:
            raise typer.BadParameter("with --from, passwords come from the file", param_hint="--password")
        raise typer.Exit(add_from(load_config(config, data), source))
    assert jid is not None
    accounts.add(load_config(config, data), jid, password)


@user.command()
def passwd(
    jid: JIDArgument, password: PasswordOption = None, config: ConfigOption = None, data: DataOption = None
) -> None:
    """Set an account's password."""
    from chirrup.cli import accounts

    accounts.set_password(load_config(config, data), jid, password)


@user.command()
def remove(
    jid: JIDArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Remove an account and all that belongs to it."""
    from chirrup.cli import accounts

    accounts.remove(load_config(config, data), jid, ask_first=not yes)


@user.command("list")
def list_(
    host: Annotated[str | None, typer.Argument(help="Only this domain's.")] = None,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Print the addresses of all accounts."""
    from chirrup.cli import accounts

    accounts.list_all(load_config(config, data), host)


@user.command()
def show(jid: JIDArgument, config: ConfigOption = None, data: DataOption = None) -> None:
    """Print what is known about an account."""
    from chirrup.cli import accounts

    accounts.show(load_config(config, data), jid)
