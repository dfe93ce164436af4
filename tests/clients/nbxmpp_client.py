"""A program of nbxmpp, which Gajim is built on: does one thing after the other, writes what came of each as a line of
JSON ([what, whether it went well, what it says]), drops its connection, and comes back when a line comes in.

Run by the interpreter that Debian's python3-nbxmpp belongs to: nbxmpp_client.py PORT CERTIFICATE
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

from gi.repository import Gio, GLib
from nbxmpp.client import Client
from nbxmpp.const import ConnectionProtocol, ConnectionType
from nbxmpp.protocol import JID, Presence
from nbxmpp.structs import StanzaHandler

PORT, CERTIFICATE = sys.argv[1:]
SERVER, ALICE, BOB = (JID.from_string(name) for name in ("localhost", "alice@localhost", "bob@localhost"))


def tell(what: str, well: bool, value: object = "") -> None:
    print(json.dumps([what, well, str(value)]), flush=True)


class Complaints(logging.Handler):
    """What the library finds odd in what it receives."""

    def emit(self, record: logging.LogRecord) -> None:
        tell("complaint", False, record.getMessage())


NICK = "http://jabber.org/protocol/nick"
DEEDS: tuple[tuple[str, str, tuple[Any, ...], dict[str, Any]], ...] = (
    ("Roster", "set_item", (BOB, "Bob", ["friends"]), {}),
    ("Roster", "request_roster", (), {}),
    ("Discovery", "disco_info", (SERVER,), {}),
    ("Discovery", "disco_info", (ALICE,), {}),
    ("Discovery", "disco_items", (ALICE,), {}),
    ("Blocking", "block", ([JID.from_string("spam@example.org")],), {}),
    ("Blocking", "request_blocking_list", (), {}),
    ("Blocking", "unblock", ([JID.from_string("spam@example.org")],), {}),
    ("MAM", "request_preferences", (), {}),
    ("MAM", "make_query", (ALICE,), {"queryid": "all", "max_": 10}),
    ("Nickname", "set_nickname", ("Al",), {}),
    ("PubSub", "get_node_configuration", (NICK,), {}),
    ("PubSub", "request_items", (NICK,), {}),
    ("Annotations", "request_annotations", (), {}),
    ("PrivateBookmarks", "request_bookmarks", (), {}),
    ("SoftwareVersion", "request_software_version", (SERVER,), {}),
    ("EntityTime", "request_entity_time", (SERVER,), {}),
    ("Ping", "ping", (SERVER,), {}),
    ("Register", "request_register_form", (), {}),
)
"""Modules of the library, what is asked of them, and with what."""


class Program:
    """Alice at her program."""

    def __init__(self, loop: GLib.MainLoop) -> None:
        self._loop = loop
        client = self._client = Client(log_context="alice")
        client.set_domain("localhost")
        client.set_username("alice")
        client.set_password("secret")
        client.set_resource("gajim")
        client.set_custom_host(f"127.0.0.1:{PORT}", ConnectionProtocol.TCP, ConnectionType.START_TLS)
        client.set_accepted_certificates([Gio.TlsCertificate.new_from_file(CERTIFICATE)])
        client.subscribe("connected", self._online)
        client.subscribe("resume-successful", lambda *_: tell("resumed", True))
        client.subscribe("resume-failed", lambda *_: tell("resumed", False))
        client.subscribe("connection-failed", lambda *_: tell("connected", False))
        client.subscribe("disconnected", lambda *_: tell("cut", True))
        client.register_handler(StanzaHandler(name="message", callback=self._message))
        self._deeds: Iterator[Any] = iter(DEEDS)
        self._waiting: Any = None  # the library keeps its callbacks by weak references alone
        GLib.io_add_watch(
            sys.stdin.fileno(), GLib.PRIORITY_DEFAULT, GLib.IOCondition.IN | GLib.IOCondition.HUP, self._told
        )
        client.connect()

    def _online(self, *_: object) -> None:
        self._client.send_stanza(Presence())
        self._next()

    def _next(self) -> None:
        deed = next(self._deeds, None)
        if deed is None:
            self._client.disconnect(immediate=True)
            return
        module, method, arguments, options = deed

        def done(task: Any) -> None:
            try:
                tell(f"{module}.{method}", True, task.finish())
            except Exception as error:
                tell(f"{module}.{method}", False, repr(error))
            GLib.idle_add(self._next)

        self._waiting = done
        getattr(self._client.get_module(module), method)(*arguments, callback=done, **options)

    def _message(self, client: Client, stanza: Any, properties: Any) -> None:
        if properties.body and not properties.is_mam_message:
            tell("message", True, properties.body)

    def _told(self, *_: object) -> bool:
        if sys.stdin.readline():
            self._client.connect()
            return True
        self._loop.quit()
        return False


logging.getLogger("nbxmpp").addHandler(Complaints(logging.WARNING))
loop = GLib.MainLoop()
program = Program(loop)
loop.run()
