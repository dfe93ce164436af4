from __future__ import annotations

import asyncio
import ssl
import time
from pathlib import Path
from typing import Any

import pytest
from tests.plugins.liar import Liar, Peer

from chirrup import AuthenticationError, Client, StanzaError, StreamError
from chirrup.core.errors import NetworkError
from chirrup.ext.commands.payloads import Command
from chirrup.ext.forms.payloads import Field, Form
from chirrup.ext.invitations import INVITE
from chirrup.ext.registration import NS
from chirrup.ext.registration.client import Registration, fields, register
from chirrup.ext.registration.payloads import Query
from chirrup.net.certificates import make
from chirrup.testing import TestServer, serve

OPEN = {"modules": {"registration": {"mode": "open"}}}
PASSWORD = "a password of some length"


def options(server: TestServer) -> dict[str, Any]:
    return {"host": "127.0.0.1", "port": server.port(), "verify": False}


async def test_an_account_is_made_changed_and_removed() -> None:
    async with serve(OPEN) as server, asyncio.timeout(30):
        asked = await fields("localhost", **options(server))
        assert asked.username == ""
        await register("juliet@localhost", PASSWORD, **options(server))
        with pytest.raises(StanzaError, match="conflict"):
            await register("juliet@localhost", PASSWORD, **options(server))
        with pytest.raises(StanzaError, match="not-acceptable"):
            await register("romeo@localhost", "short", **options(server))
        juliet = Client("juliet@localhost", PASSWORD, **options(server))
        registration = juliet.need(Registration)
        async with juliet:
            await registration.change_password(PASSWORD[::-1])
        async with juliet:  # with the new one
            assert juliet.jid.local == "juliet"
        with pytest.raises(AuthenticationError):
            await Client("juliet@localhost", PASSWORD, **options(server)).connect()
        await juliet.connect()
        await registration.remove_account()
        with pytest.raises((StreamError, AuthenticationError)):
            await juliet.wait_closed()
        assert not await server.server.store.accounts.exists("localhost", "juliet")


async def test_by_invitation() -> None:
    async with serve() as server, await server.sdk("romeo") as romeo, asyncio.timeout(30):
        done = await romeo.request(Command(INVITE), to="localhost", type="set", result=Command)
        assert done.form is not None
        token = done.form.values("uri")[0].partition("preauth=")[2].partition(";")[0]
        with pytest.raises(StanzaError, match="not-allowed"):
            await register("juliet@localhost", PASSWORD, **options(server))
        with pytest.raises(StanzaError, match="item-not-found"):
            await register("juliet@localhost", PASSWORD, token="guessed", **options(server))
        await register("juliet@localhost", PASSWORD, token=token, **options(server))
        async with Client("juliet@localhost", PASSWORD, **options(server)) as juliet:
            assert juliet.jid.local == "juliet"


async def test_where_nobody_can_register() -> None:
    for settings, said in (
        ({"mode": "closed"}, "lets nobody register"),
        ({"mode": "redirect", "redirect_url": "https://example.org/register"}, "https://example.org/register"),
    ):
        async with serve({"modules": {"registration": settings}}) as server, asyncio.timeout(30):
            with pytest.raises(StanzaError, match=said):
                await register("juliet@localhost", PASSWORD, **options(server))


async def test_no_password_without_tls(liar: Liar) -> None:
    async def script(peer: Peer) -> None:
        await peer.header()
        peer.features(
            "<register xmlns='http://jabber.org/features/iq-register'/>",
            "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms>",
        )
        await peer.end()

    liar.scripts = [script]
    with pytest.raises((NetworkError, StreamError)):
        await register("juliet@localhost", PASSWORD, host="127.0.0.1", port=liar.port, require_tls=False)


async def test_servers_that_ask_for_more(liar: Liar, tmp_path: Path) -> None:
    """XEP-0077 §4: a form takes precedence, and there may be more in it."""
    pair = make("localhost", tmp_path, time.time())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    fields = (
        Field.of("FORM_TYPE", NS, "hidden"), Field("username", required=True), Field("password", required=True),
        Field("email", required=True), Field("colour"), Field.of("challenge", "c"),
    )  # fmt: skip
    submitted: list[Query] = []

    async def script(peer: Peer) -> None:
        await peer.start_tls(context)
        peer.restart()
        await peer.header()
        peer.features(
            "<register xmlns='http://jabber.org/features/iq-register'/>",
            "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms>",
        )
        asked = await peer.read()
        query = Query(username="", password="", form=Form("form", fields=fields)).to_element()
        peer.send(f"<iq type='result' id='{asked.get('id')}'>{query}</iq>")
        answered = await peer.read()
        assert answered.first is not None
        submitted.append(Query.parse(answered.first))
        peer.send(f"<iq type='result' id='{answered.get('id')}'/>")
        await peer.end()

    options: dict[str, Any] = {"host": "127.0.0.1", "port": liar.port, "ca": pair.certificate}
    liar.scripts = [script]
    with pytest.raises(StanzaError, match="also asks for: email"):
        await register("juliet@localhost", PASSWORD, **options)
    await register("juliet@localhost", PASSWORD, answers={"email": "j@example.org", "other": "x"}, **options)
    (query,) = submitted
    assert query.username is None
    assert query.form is not None
    assert {field.var: field.value for field in query.form.fields} == {
        "FORM_TYPE": NS, "username": "juliet", "password": PASSWORD, "email": "j@example.org", "challenge": "c",
    }  # fmt: skip
