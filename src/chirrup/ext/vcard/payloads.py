"""A vCard (XEP-0054 §3): its usual properties by name, and all others as they stand."""

from __future__ import annotations

from chirrup.core.payload import Payload, child, child_text, child_texts, children, flag, payload, rest
from chirrup.core.xml import Element
from chirrup.ext.vcard import NS


@payload("N", NS)
class Name(Payload):
    """The parts of a name."""

    family: str | None = child_text("FAMILY", default=None)
    given: str | None = child_text("GIVEN", default=None)
    middle: str | None = child_text("MIDDLE", default=None)
    prefix: str | None = child_text("PREFIX", default=None)
    suffix: str | None = child_text("SUFFIX", default=None)


@payload("PHOTO", NS)
class Photo(Payload):
    """A picture, or where it is."""

    type: str | None = child_text("TYPE", default=None)
    """Its media type."""
    data: bytes | None = child_text("BINVAL", default=None)
    url: str | None = child_text("EXTVAL", default=None)


@payload("ADR", NS)
class Address(Payload):
    """A postal address."""

    home: bool = flag("HOME")
    work: bool = flag("WORK")
    street: str | None = child_text("STREET", default=None)
    extra: str | None = child_text("EXTADD", default=None)
    box: str | None = child_text("POBOX", default=None)
    locality: str | None = child_text("LOCALITY", default=None)
    region: str | None = child_text("REGION", default=None)
    code: str | None = child_text("PCODE", default=None)
    country: str | None = child_text("CTRY", default=None)
    others: tuple[Element, ...] = rest()


@payload("TEL", NS)
class Telephone(Payload):
    """A telephone number."""

    number: str = child_text("NUMBER", default="")
    home: bool = flag("HOME")
    work: bool = flag("WORK")
    cell: bool = flag("CELL")
    others: tuple[Element, ...] = rest()


@payload("EMAIL", NS)
class Email(Payload):
    """An e-mail address."""

    address: str = child_text("USERID", default="")
    home: bool = flag("HOME")
    work: bool = flag("WORK")
    others: tuple[Element, ...] = rest()


@payload("ORG", NS)
class Organisation(Payload):
    """An organisation, and its units below."""

    name: str | None = child_text("ORGNAME", default=None)
    units: tuple[str, ...] = child_texts("ORGUNIT")


@payload("vCard", NS)
class VCard(Payload):
    """Somebody's card; empty in a request."""

    full_name: str | None = child_text("FN", default=None)
    name: Name | None = child(Name, default=None)
    nickname: str | None = child_text("NICKNAME", default=None)
    photo: Photo | None = child(Photo, default=None)
    birthday: str | None = child_text("BDAY", default=None)
    addresses: tuple[Address, ...] = children(Address)
    telephones: tuple[Telephone, ...] = children(Telephone)
    emails: tuple[Email, ...] = children(Email)
    jid: str | None = child_text("JABBERID", default=None)
    organisation: Organisation | None = child(Organisation, default=None)
    title: str | None = child_text("TITLE", default=None)
    role: str | None = child_text("ROLE", default=None)
    url: str | None = child_text("URL", default=None)
    description: str | None = child_text("DESC", default=None)
    others: tuple[Element, ...] = rest()
