"""Whom to turn to about a host, told in its service discovery."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import AfterValidator

from chirrup.ext.contact_addresses import FORM_TYPE
from chirrup.ext.disco.server import Disco
from chirrup.ext.forms import FORM_TYPE as HIDDEN
from chirrup.ext.forms.payloads import Field, Form
from chirrup.server.module import Module, Settings, Xep

_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!#-;=?-\[\]_a-z~%]+")


def _uri(text: str) -> str:
    if not _URI.fullmatch(text):
        raise ValueError(
            f'should be a URI, such as "mailto:xmpp@example.org" or "xmpp:admin@example.org" (it is "{text}")'
        )
    return text


Addresses = tuple[Annotated[str, AfterValidator(_uri)], ...]


class ContactSettings(Settings):
    """Addresses as URIs: mailto:, xmpp:, https:. None is shown unless it is given here."""

    abuse: Addresses = ()
    """Where to report abuse."""
    admin: Addresses = ()
    """Who runs the service."""
    feedback: Addresses = ()
    """Who wants to hear what people think of the service."""
    sales: Addresses = ()
    """Who sells the service."""
    security: Addresses = ()
    """Where to report security problems."""
    status: Addresses = ()
    """Where to see whether the service works."""
    support: Addresses = ()
    """Who helps people that use the service."""


class ContactAddresses(Module):
    """Tells whom to turn to about the service."""

    xeps = (Xep(157, "1.1.1"),)
    Settings = ContactSettings
    settings: ContactSettings

    async def start(self) -> None:
        given = {name: addresses for name, addresses in self.settings if addresses}
        disco = self.host.find_module(Disco)
        if given and disco is not None:
            disco.add_form(contact_form(given))


def contact_form(addresses: dict[str, tuple[str, ...]]) -> Form:
    """The form of XEP-0157 §3 with these addresses, by what they are for."""
    fields = [Field.of(f"{purpose}-addresses", uris, "list-multi") for purpose, uris in addresses.items()]
    return Form("result", fields=(Field.of(HIDDEN, FORM_TYPE, "hidden"), *fields))
