"""The commands and their options. Each imports what it needs when it is called, so that all of them begin at once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chirrup import __version__
from chirrup.cli.options import ChannelBindingOption, ConfigOption, DataOption
from chirrup.cli.user import user
from chirrup.cli.which import load_config

if TYPE_CHECKING:
    from chirrup.cli.transfer.importing import Existing

app = typer.Typer(
    help="XMPP: run and look after a server, send messages and stanzas by hand, run a bot.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
check = typer.Typer(help="Find faults before they matter.", no_args_is_help=True)
app.add_typer(user, name="user")
bot = typer.Typer(help="Run programs that people chat with.", no_args_is_help=True)
app.add_typer(check, name="check")
app.add_typer(bot, name="bot")


@app.command()
def serve(config: ConfigOption = None, data: DataOption = None) -> None:
    """Run the server, until SIGTERM or Ctrl-C. SIGHUP reloads the configuration."""
    from chirrup.cli.serve import run

    run(load_config(config, data))


@app.command()
def init(
    file: Annotated[Path, typer.Argument(help="Where to write it.")] = Path("chirrup.toml"),
    host: Annotated[list[str] | None, typer.Option(help="A domain to serve; may be given several times.")] = None,
    data: Annotated[Path | None, typer.Option(help="The data folder.")] = None,
) -> None:
    """Write a configuration file with every setting explained."""
    from chirrup.cli.init import write

    write(file, host or ["localhost"], data)


@check.command("config")
def check_config(config: ConfigOption = None, data: DataOption = None) -> None:
    """Read the configuration as the server would, and tell what would run."""
    from chirrup.cli.check import report

    for line in report(load_config(config, data)):
        print(line)


@check.command("hooks")
def check_hooks(config: ConfigOption = None, data: DataOption = None) -> None:
    """Print which modules handle what on each host, in their order."""
    from chirrup.cli.check_hooks import report

    for line in report(load_config(config, data)):
        print(line)


@app.command()
def status(
    config: ConfigOption = None,
    data: DataOption = None,
    json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Tell how the running server is."""
    from chirrup.cli.status import show

    show(load_config(config, data).admin_socket, as_json=json)


@app.command()
def reload(config: ConfigOption = None, data: DataOption = None) -> None:
    """Have the running server read its configuration and certificates again."""
    from chirrup.server.admin import ask

    for line in ask(load_config(config, data).admin_socket, "reload"):
        print(line)


@app.command()
def invite(
    address: Annotated[
        str | None,
        typer.Argument(
            help="Whom: the address that they will have, or a host, where they choose one. Without: the first host."
        ),
    ] = None,
    contact: Annotated[
        str | None, typer.Option("--from", metavar="JID", help="An account that becomes their first contact.")
    ] = None,
    days: Annotated[float | None, typer.Option(min=0.01, help="How long the invitation is good.")] = None,
    code: Annotated[bool, typer.Option("--qr/--no-qr", help="Show a QR code too.")] = True,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Make a link by which somebody makes an account, without telling anybody their password."""
    from chirrup.cli.invite import invite as make

    make(load_config(config, data), address, contact, days, code=code)


@app.command("export")
def export_(
    file: Annotated[Path, typer.Argument(help="Where to write it; - for standard output.")],
    host: Annotated[list[str] | None, typer.Option(help="Only this domain's; may be given several times.")] = None,
    user: Annotated[str | None, typer.Option(metavar="JID", help="Only this account.")] = None,
    archive: Annotated[bool, typer.Option("--archive/--no-archive", help="Whether with archived messages.")] = True,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Write accounts, with all that is theirs, as XML that other servers read (XEP-0227). It has what their owners can
    log in with: keep it like passwords."""
    from chirrup.cli.transfer.commands import export_accounts

    export_accounts(load_config(config, data), file, host, user, archive=archive)


@app.command("import")
def import_(
    source: Annotated[
        Path, typer.Argument(help="An XML file (XEP-0227), a folder with one, or Prosody's data folder.")
    ],
    format_: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help="auto, xep0227 or prosody: what the source is.")
    ] = "auto",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be done.")] = False,
    skip: Annotated[bool, typer.Option("--skip-existing", help="Leave accounts as they are that exist.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Remove accounts that exist, and make them anew.")] = False,
    stop: Annotated[bool, typer.Option("--stop-on-error", help="Stop at the first problem.")] = False,
    config: ConfigOption = None,
    data: DataOption = None,
) -> None:
    """Take over accounts of another server. Those that exist get what they lack, and keep their passwords."""
    from chirrup.cli.transfer.commands import import_accounts

    if skip and replace:
        raise typer.BadParameter("either --skip-existing or --replace")
    existing: Existing = "skip" if skip else "replace" if replace else "complete"
    status = import_accounts(
        load_config(config, data), source, format_, existing=existing, dry_run=dry_run, stop_on_error=stop
    )
    raise typer.Exit(status)


@bot.command("run")
def run_bot(
    target: Annotated[
        str | None, typer.Argument(metavar="[MODULE:BOT]", help="A Bot in a Python module, such as echo:bot.")
    ] = None,
    config: Annotated[Path | None, typer.Option("--config", "-c", help="A bot's configuration file.")] = None,
) -> None:
    """Run a bot, until Ctrl-C."""
    from chirrup.cli.bot import run

    run(target, config)


@app.command()
def send(
    to: Annotated[list[str], typer.Argument(metavar="JID…", help="Whom to send it to.")],
    sender: Annotated[str, typer.Option("--from", metavar="JID", envvar="CHIRRUP_JID", help="The own address.")],
    body: Annotated[
        str | None,
        typer.Option(
            "--message", "-m", help="What to say. Without, and without a file, it is read from standard input."
        ),
    ] = None,
    file: Annotated[
        list[Path] | None,
        typer.Option("--file", "-f", help="A file to upload and share; may be given several times."),
    ] = None,
    host: Annotated[str, typer.Option(help="The server's name or IP address, where DNS doesn't tell.")] = "",
    port: Annotated[int | None, typer.Option(min=1, max=65_535, help="Its port, with --host.")] = None,
    ca: Annotated[Path | None, typer.Option(help="PEM file with the only certificate authorities to trust.")] = None,
    verify: Annotated[bool, typer.Option(help="Whether to check the server's certificate.")] = True,
    channel_binding: ChannelBindingOption = True,
) -> None:
    """Send a message, or files, and leave. The password is asked for, or taken from CHIRRUP_PASSWORD."""
    from chirrup.cli.send import send as send_it

    send_it(sender, to, body, file or (), host=host, port=port, ca=ca, verify=verify, channel_binding=channel_binding)


@app.command()
def console(
    jid: Annotated[str, typer.Argument(metavar="JID", envvar="CHIRRUP_JID", help="The own address.")],
    component: Annotated[
        bool, typer.Option("--component", help="Log in as a component: JID is its domain, the password its secret.")
    ] = False,
    host: Annotated[str, typer.Option(help="The server's name or IP address, where DNS doesn't tell.")] = "",
    port: Annotated[int | None, typer.Option(min=1, max=65_535, help="Its port, with --host.")] = None,
    ca: Annotated[Path | None, typer.Option(help="PEM file with the only certificate authorities to trust.")] = None,
    verify: Annotated[bool, typer.Option(help="Whether to check the server's certificate.")] = True,
    channel_binding: ChannelBindingOption = True,
    data: Annotated[Path | None, typer.Option("--data", "-d", help="Folder for the history of what was typed.")] = None,
    wait: Annotated[
        float, typer.Option(min=0, help="Seconds for which answers are waited for at the end of standard input.")
    ] = 10.0,
) -> None:
    """Send and see stanzas by hand. Without a terminal: stanzas from standard input, what comes to standard output.

    The password is asked for, or taken from CHIRRUP_PASSWORD."""
    from chirrup.cli.console.console import console as run_console
    from chirrup.server.config import default_data

    options = {} if component else {"ca": ca, "verify": verify, "channel_binding": channel_binding}
    run_console(jid, data or default_data(), component=component, host=host, port=port, wait=wait, **options)


@app.command()
def version() -> None:
    """Print the program's version, and whether its parser is compiled or Python."""
    from chirrup.core.accelerator import FORM

    print(f"chirrup {__version__} (parser: {FORM})")
