"""vCards of version 4 as those of XEP-0054, for the sake of clients that know only these."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from chirrup.core.xml import Element
from chirrup.ext.vcard.payloads import Address, Email, Name, Organisation, Telephone, VCard
from chirrup.ext.vcard4 import NS, payloads

_TELEPHONE: Final = "tel:"
_XMPP: Final = "xmpp:"


def to_vcard_temp(card: payloads.VCard4) -> VCard:
    """The older form of a vCard, as far as it has a place for what is there (XEP-0292, Mapping)."""
    name, organisation = card.name, next(iter(card.organisations), None)
    return VCard(
        full_name=_first(one.text for one in card.full_names),
        name=None if name is None else _name(name),
        nickname=_together(text for one in card.nicknames for text in one.texts),
        birthday=None if card.birthday is None else card.birthday.date or card.birthday.text,
        addresses=tuple(_address(one) for one in card.addresses),
        telephones=tuple(_telephone(one) for one in card.telephones),
        emails=tuple(
            Email(one.text, home="home" in (kinds := _kinds(one.others)), work="work" in kinds) for one in card.emails
        ),
        jid=_first(one.uri.removeprefix(_XMPP) for one in card.messaging if one.uri.startswith(_XMPP)),
        organisation=None if organisation is None else _organisation(organisation),
        title=_first(one.text for one in card.titles),
        role=_first(one.text for one in card.roles),
        url=_first(one.uri for one in card.urls),
        description=_first(one.text for one in card.notes),
    )


def _name(name: payloads.Name) -> Name:
    return Name(
        _together(name.surnames),
        _together(name.given),
        _together(name.additional),
        _together(name.prefixes),
        _together(name.suffixes),
    )


def _address(one: payloads.Address) -> Address:
    kinds = _kinds(one.others)
    return Address(
        "home" in kinds,
        "work" in kinds,
        one.street or None,
        locality=one.locality or None,
        region=one.region or None,
        code=one.code or None,
        country=one.country or None,
    )


def _telephone(one: payloads.Telephone) -> Telephone:
    kinds = _kinds(one.others)
    number = one.text or (one.uri or "").removeprefix(_TELEPHONE)
    return Telephone(number, "home" in kinds, "work" in kinds, "cell" in kinds)


def _organisation(one: payloads.Organisation) -> Organisation:
    return Organisation(_first(one.texts), tuple(one.texts[1:]))


def _kinds(others: Iterable[Element]) -> set[str]:
    """What the parameter "type" says, such as home, work or cell."""
    parameters = next((one for one in others if (one.name, one.ns) == ("parameters", NS)), None)
    kind = None if parameters is None else parameters.child("type")
    return set() if kind is None else {text.text for text in kind.elements("text")}


def _first(texts: Iterable[str]) -> str | None:
    return next(iter(texts), None) or None


def _together(texts: Iterable[str]) -> str | None:
    return ", ".join(filter(None, texts)) or None
