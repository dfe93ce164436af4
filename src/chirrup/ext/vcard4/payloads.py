"""A vCard (RFC 6351): its usual properties by name, and all others as they stand."""

from __future__ import annotations

from chirrup.core.payload import Payload, child, child_text, child_texts, children, payload, rest
from chirrup.core.xml import Element
from chirrup.ext.vcard4 import NS


@payload("fn", NS)
class FullName(Payload):
    """What somebody is called."""

    text: str = child_text("text")


@payload("n", NS)
class Name(Payload):
    """The parts of a name."""

    surnames: tuple[str, ...] = child_texts("surname")
    given: tuple[str, ...] = child_texts("given")
    additional: tuple[str, ...] = child_texts("additional")
    prefixes: tuple[str, ...] = child_texts("prefix")
    suffixes: tuple[str, ...] = child_texts("suffix")


@payload("nickname", NS)
class Nickname(Payload):
    """Other names."""

    texts: tuple[str, ...] = child_texts("text")


@payload("photo", NS)
class Photo(Payload):
    """A picture, by its URI."""

    uri: str = child_text("uri")


@payload("bday", NS)
class Birthday(Payload):
    """A day, such as 1966-08-06, or one without a year, such as --0806; or words."""

    date: str | None = child_text("date", default=None)
    text: str | None = child_text("text", default=None)


@payload("adr", NS)
class Address(Payload):
    """A postal address."""

    street: str | None = child_text("street", default=None)
    locality: str | None = child_text("locality", default=None)
    region: str | None = child_text("region", default=None)
    code: str | None = child_text("code", default=None)
    country: str | None = child_text("country", default=None)
    others: tuple[Element, ...] = rest()
    """Such as parameters that tell what kind of address it is."""


@payload("tel", NS)
class Telephone(Payload):
    """A telephone number, as a URI or as text."""

    uri: str | None = child_text("uri", default=None)
    text: str | None = child_text("text", default=None)
    others: tuple[Element, ...] = rest()


@payload("email", NS)
class Email(Payload):
    """An e-mail address."""

    text: str = child_text("text")
    others: tuple[Element, ...] = rest()


@payload("impp", NS)
class InstantMessaging(Payload):
    """An address for messages, such as xmpp:juliet@example.org."""

    uri: str = child_text("uri")
    others: tuple[Element, ...] = rest()


@payload("org", NS)
class Organisation(Payload):
    """An organisation, and its units below."""

    texts: tuple[str, ...] = child_texts("text")
    others: tuple[Element, ...] = rest()


@payload("title", NS)
class Title(Payload):
    """A position."""

    text: str = child_text("text")


@payload("role", NS)
class Role(Payload):
    """A function."""

    text: str = child_text("text")


@payload("url", NS)
class Url(Payload):
    """A page about somebody."""

    uri: str = child_text("uri")
    others: tuple[Element, ...] = rest()


@payload("note", NS)
class Note(Payload):
    """What else there is to say."""

    text: str = child_text("text")


@payload("vcard", NS)
class VCard4(Payload):
    """Somebody's card."""

    full_names: tuple[FullName, ...] = children(FullName)
    name: Name | None = child(Name, default=None)
    nicknames: tuple[Nickname, ...] = children(Nickname)
    photos: tuple[Photo, ...] = children(Photo)
    birthday: Birthday | None = child(Birthday, default=None)
    addresses: tuple[Address, ...] = children(Address)
    telephones: tuple[Telephone, ...] = children(Telephone)
    emails: tuple[Email, ...] = children(Email)
    messaging: tuple[InstantMessaging, ...] = children(InstantMessaging)
    organisations: tuple[Organisation, ...] = children(Organisation)
    titles: tuple[Title, ...] = children(Title)
    roles: tuple[Role, ...] = children(Role)
    urls: tuple[Url, ...] = children(Url)
    notes: tuple[Note, ...] = children(Note)
    others: tuple[Element, ...] = rest()
