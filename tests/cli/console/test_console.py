"""The console, with a terminal and without."""

from __future__ import annotations

import asyncio
import os
import shlex
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from chirrup.testing import PASSWORD, TestServer, serve

SECRET = "a secret of some length"


async def pipe(
    server: TestServer, text: str, jid: str = "alice@localhost", *options: str, password: str = PASSWORD
) -> Any:
    """Run the console with a text on its standard input: its status, and what it writes."""
    kind = "component" if "--component" in options else "c2s"
    where = ("--host", "127.0.0.1", "--port", str(server.port(kind)), "--no-verify")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "chirrup.cli", "console", jid, *where, *options,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env={"CHIRRUP_PASSWORD": password, "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
    )  # fmt: skip
    async with asyncio.timeout(30):
        out, err = await process.communicate(text.encode())
    return process.returncode, out.decode(), err.decode()


async def test_lines_in_and_stanzas_out() -> None:
    async with serve() as server:
        await server.add_account("alice")
        bob = await server.client("bob", presence=True)
        text = (
            "\n<iq type='get' id='p1' to='localhost'><ping xmlns='urn:xmpp:ping'/></iq>\n"
            "<message to='bob@localhost' type='chat'>\n  <body>of several\nlines</body>\n</message>\n"
            "/version localhost\n"
            "/message bob@localhost by a command\n"
        )
        status, out, err = await pipe(server, text)
        assert (status, err) == (0, "")
        assert "id='p1'" in out and "jabber:iq:version" in out
        assert [(await bob.receive()).child_text("body") for _ in range(2)] == ["of several\nlines", "by a command"]


@pytest.mark.parametrize(
    ("output", "told"), [("/dev/full", "chirrup: what is to be written: No space left on device\n"), ("", "")]
)
async def test_output_that_goes_nowhere(output: str, told: str) -> None:
    """It ends the console, and isn't taken for a fault of the connection."""
    async with serve() as server:
        await server.add_account("alice")
        where = ("--host", "127.0.0.1", "--port", str(server.port()), "--no-verify")
        reading, writing = (0, os.open(output, os.O_WRONLY)) if output else os.pipe()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "chirrup.cli", "console", "alice@localhost", *where,
            stdin=asyncio.subprocess.PIPE, stdout=writing, stderr=asyncio.subprocess.PIPE,
            env={"CHIRRUP_PASSWORD": PASSWORD, "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
        )  # fmt: skip
        os.close(writing)
        if reading:
            os.close(reading)
        assert process.stderr is not None and process.stdin is not None
        async with asyncio.timeout(30):
            with suppress(ConnectionError):
                process.stdin.write(b"/version localhost\n")
                await process.stdin.drain()
            err = await process.stderr.read()
            assert (await process.wait(), err.decode()) == (1, told)


async def test_mistakes_are_not_sent() -> None:
    async with serve() as server:
        await server.add_account("alice")
        bob = await server.client("bob", presence=True)
        good = "<message to='bob@localhost' type='chat'><body>1</body></message>\n"
        for bad, place in (
            ("<message to='bob@localhost'>\n<body>2</bod>\n</message>\n", "line 3, column 10"),
            ("<message to='bob@localhost'><body>2</body>\n", "line 2, column 1"),
            ("/xyzzy\n", "line 2, column 1"),
            ("/raw\n", "for terminals"),
        ):
            status, _, err = await pipe(server, good + bad)
            assert status == 1
            assert place in err, err
            assert (await bob.receive()).child_text("body") == "1"
        await bob.settle()
        assert not bob.received


async def test_what_is_never_answered() -> None:
    async with serve() as server:
        await server.add_account("alice")
        bob = await server.client("bob", presence=True)
        alice = await server.client("alice", presence=True)
        alice.send("<presence type='subscribe' to='bob@localhost'/>")
        bob.send("<presence type='subscribed' to='alice@localhost'/>")
        await bob.settle()
        ping = f"<iq type='get' id='p1' to='{bob.jid}'><ping xmlns='urn:xmpp:ping'/></iq>\n"
        status, _, err = await pipe(server, ping, "alice@localhost", "--wait", "0.2")
        assert (status, "no answer within 0.2 seconds to p1" in err) == (1, True), err


async def test_as_a_component() -> None:
    async with serve({"components": {"echo.localhost": {"secret": SECRET}}}) as server:
        bob = await server.client("bob", presence=True)
        text = "/ping localhost\n/message bob@localhost hello\n"
        status, out, err = await pipe(server, text, "echo.localhost", "--component", password=SECRET)
        assert (status, err) == (0, "")
        assert "type='result'" in out
        message = await bob.receive()
        assert (message.get("from"), message.child_text("body")) == ("echo.localhost", "hello")


async def test_a_wrong_password_is_told() -> None:
    async with serve() as server:
        await server.add_account("alice")
        status, out, err = await pipe(server, "/ping localhost\n", password="wrong")
        assert (status, out) == (1, "")
        assert "not-authorized" in err


async def test_the_end_of_the_connection_without_the_end_of_the_input() -> None:
    async with serve() as server:
        await server.add_account("alice")
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "chirrup.cli", "console", "alice@localhost", "--host", "127.0.0.1", "--port",
            str(server.port()), "--no-verify",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env={"CHIRRUP_PASSWORD": PASSWORD, "PATH": "/usr/bin:/bin"},
        )  # fmt: skip
        assert process.stdin and process.stdout and process.stderr
        process.stdin.write(b"/ping localhost\n")
        async with asyncio.timeout(30):
            while b"type='result'" not in await process.stdout.readline():
                pass
            await server.server.stop()
            assert await process.wait() == 1
            assert b"system-shutdown" in await process.stderr.read()
        process.stdin.close()


async def on_screen(server: TestServer, terminal: Any, data: Path) -> None:
    """Log in on a terminal, which lives on after the console to tell how that ended."""
    command = [
        sys.executable, "-m", "chirrup.cli", "console", "alice@localhost", "--host", "127.0.0.1", "--port",
        str(server.port()), "--no-verify", "--data", str(data),
    ]  # fmt: skip
    script = f"{shlex.join(command)}; echo ended with $?; exec sleep 60"
    await terminal.run("sh", "-c", script, env={"CHIRRUP_PASSWORD": PASSWORD})
    await terminal.shows("Logged in as alice@localhost/", "alice@localhost>")


@pytest.mark.needs("tmux")
async def test_on_a_terminal(terminal: Callable[[str], Any], tmp_path: Path) -> None:
    async with serve() as server:
        await server.add_account("alice")
        bob = await server.client("bob", presence=True)
        screen = terminal("alice")
        await on_screen(server, screen, tmp_path / "data")
        await screen.type("/message bob@localhost hello")
        await screen.shows("→", "  <body>hello</body>")
        message = await bob.receive()
        bob.send(f"<message to='{message.get('from')}' type='chat'><body>and \x9b2J hello</body></message>")
        await screen.shows("←", "<body>and &#x9B;2J hello</body>")

        await screen.type("<message to='bob@localhost'>")
        await screen.type("<body>two</bod></message>")
        await screen.shows("line 2, column 12: mismatched tag")
        await screen.keys("\x03")
        await screen.type("/raw")
        await screen.shows("Stanzas are shown as they are written.")
        await screen.type("/ping localhost")
        await screen.shows("<ping xmlns='urn:xmpp:ping'/></iq>")
        await screen.keys("/dis")
        await screen.shows("/disco", "Ask what an entity is and can do")
        await screen.keys("\x03")
        await screen.type("/help")
        await screen.shows("/disco JID [NODE]")
        await screen.type("/quit")
        await screen.shows("ended with 0")
        await bob.settle()
        assert not bob.received, "the mistake was not sent"


@pytest.mark.needs("tmux")
async def test_the_history_is_kept(terminal: Callable[[str], Any], tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with serve() as server:
        await server.add_account("alice")
        first = terminal("first")
        await on_screen(server, first, data)
        await first.type("<iq type='set'><query xmlns='jabber:iq:register'><password>x</password></query></iq>")
        await first.shows("jabber:iq:register", "←")
        await first.type("/ping localhost")
        await first.shows("urn:xmpp:ping")
        await first.type("/quit")
        await first.shows("ended with 0")
        history = data / "console-history"
        assert history.stat().st_mode & 0o777 == 0o600
        assert "/ping localhost" in history.read_text()
        assert "password" not in history.read_text()
        second = terminal("second")
        await on_screen(server, second, data)
        await second.keys("\x10")
        await second.keys("\x10")
        await second.shows("> /ping localhost")


@pytest.mark.needs("tmux")
async def test_the_end_of_the_connection_is_told(terminal: Callable[[str], Any], tmp_path: Path) -> None:
    screen = terminal("alice")
    async with serve() as server:
        await server.add_account("alice")
        await on_screen(server, screen, tmp_path / "data")
    await screen.shows("system-shutdown", "ended with 1")
