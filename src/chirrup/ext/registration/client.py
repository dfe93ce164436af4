"""A client makes an account, changes its password, and removes it (XEP-0077; by invitation, XEP-0445)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from chirrup.client.feature import Feature
from chirrup.core.errors import StanzaError
from chirrup.core.jid import JID
from chirrup.ext.forms.payloads import Form
from chirrup.ext.invitations.payloads import Preauth
from chirrup.ext.registration import FEATURE, NS
from chirrup.ext.registration.newcomer import Asking, Newcomer
from chirrup.ext.registration.payloads import Query


async def register(
    jid: JID | str, password: str, *, token: str = "", answers: Mapping[str, str] | None = None, **options: Any
) -> None:
    """Make an account with that address. `token` is that of an invitation, `answers` what a server wants to know
    beside, by the names of the fields in its form. `options` are those of `Client`; nothing is said without TLS.

        await register("juliet@example.org", "…", token="…")

    Raises StanzaError: "conflict" for a name that is taken, "not-allowed" where nobody can register in this way,
    "not-acceptable" for a weak password or for fields without an answer; and what `Client.connect` raises."""
    address = JID.parse(jid) if isinstance(jid, str) else jid
    known = {**(answers or {}), "username": address.local, "password": password}
    async with _asking(address, options) as asking:
        if token:
            await asking.ask(Preauth(token), "set")
        await asking.ask(_filled_in(await _fields(asking), known), "set")


async def fields(domain: JID | str, *, token: str = "", **options: Any) -> Query:
    """What a server asks of those who register. Raises as `register` does."""
    address = JID.parse(domain) if isinstance(domain, str) else domain
    async with _asking(address, options) as asking:
        if token:
            await asking.ask(Preauth(token), "set")
        return await _fields(asking)


@asynccontextmanager
async def _asking(address: JID, options: Mapping[str, Any]) -> AsyncIterator[Asking]:
    newcomer = Newcomer(address.host, **options)
    await newcomer.negotiate()
    asking = newcomer.asking
    try:
        if asking.features.child("register", FEATURE) is None:
            raise StanzaError("not-allowed", f"{address.domain} lets nobody register in this way")
        yield asking
    finally:
        asking.leave()


async def _fields(asking: Asking) -> Query:
    answer = await asking.ask(Query(), "get")
    if answer is None:
        raise StanzaError("not-allowed", "the server doesn't say what it wants to know")
    query = Query.parse(answer)
    if query.link is not None and query.form is None and query.username is None:
        raise StanzaError("not-allowed", f"registration is elsewhere: {query.link.url}")
    return query


def _filled_in(asked: Query, known: Mapping[str, str]) -> Query:
    if asked.form is None or asked.form.field("username") is None:
        return Query(username=known["username"], password=known["password"])
    missing = [
        field.var for field in asked.form.fields if field.required and not (known.get(field.var) or field.values)
    ]
    if missing:
        raise StanzaError("not-acceptable", f"the server also asks for: {', '.join(missing)}")
    filled = {field.var: known.get(field.var, field.value) for field in asked.form.fields if field.var != "FORM_TYPE"}
    return Query(form=Form.of("submit", NS, {var: value for var, value in filled.items() if var and value}))


class Registration(Feature):
    """What becomes of the account that the client has."""

    xeps = ((77, "2.4", ""), (445, "0.2.0", ""))

    async def change_password(self, password: str) -> None:
        """Raises StanzaError, for one "not-acceptable" if it is too weak. The client goes on with the new one when it
        connects again."""
        account = self.client.account
        await self.entity.request(Query(username=account.local, password=password), to=account.host, type="set")
        self.client.use_password(password)

    async def remove_account(self) -> None:
        """Remove the account with all that is kept for it, for good. The server ends the session then. Raises
        StanzaError."""
        await self.entity.request(Query(remove=True), type="set")
