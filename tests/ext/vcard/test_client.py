from __future__ import annotations

import dataclasses

import pytest

from chirrup import StanzaError
from chirrup.core.values import parse_element
from chirrup.ext.vcard.client import VCards
from chirrup.ext.vcard.payloads import Email, Name, Organisation, Photo, Telephone, VCard
from chirrup.testing import serve

EXAMPLE = """
<vCard xmlns='vcard-temp'><FN>Peter Saint-Andre</FN><N><FAMILY>Saint-Andre</FAMILY><GIVEN>Peter</GIVEN><MIDDLE/></N>
<NICKNAME>stpeter</NICKNAME><URL>http://www.xmpp.org/xsf/people/stpeter.shtml</URL><BDAY>1966-08-06</BDAY>
<ORG><ORGNAME>XMPP Standards Foundation</ORGNAME><ORGUNIT/></ORG><TITLE>Executive Director</TITLE>
<ROLE>Patron Saint</ROLE>
<TEL><WORK/><VOICE/><NUMBER>303-308-3282</NUMBER></TEL>
<EMAIL><INTERNET/><PREF/><USERID>stpeter@jabber.org</USERID></EMAIL>
<JABBERID>stpeter@jabber.org</JABBERID><DESC>More information about me is elsewhere.</DESC><X-ODD>kept</X-ODD></vCard>
"""


async def test_a_card() -> None:
    async with serve() as server, await server.sdk("alice") as alice, await server.sdk("bob") as bob:
        assert await alice.need(VCards).fetch() == VCard()
        card = VCard(
            "Alice", Name(given="Alice"), photo=Photo("image/png", b"\x89PNG"), emails=(Email("a@example.org"),)
        )
        await alice.need(VCards).publish(card)
        assert await bob.need(VCards).fetch(alice.account) == card
        await alice.need(VCards).publish(dataclasses.replace(card, title="Engineer"))
        assert (await alice.need(VCards).fetch()).title == "Engineer"
        with pytest.raises(StanzaError):
            await alice.need(VCards).fetch("nowhere.invalid")


def test_the_example() -> None:
    """XEP-0054 §3.1; nothing is lost on the way back."""
    card = VCard.parse(parse_element(EXAMPLE))
    assert (card.full_name, card.nickname, card.birthday) == ("Peter Saint-Andre", "stpeter", "1966-08-06")
    assert card.name == Name("Saint-Andre", "Peter", "")
    assert card.organisation == Organisation("XMPP Standards Foundation", ("",))
    assert [(type(one), one.work) for one in card.telephones] == [(Telephone, True)]
    assert card.emails[0].address == "stpeter@jabber.org"
    written = card.to_element()
    assert VCard.parse(written) == card
    assert written.child_text("X-ODD") == "kept"
    assert written.child("EMAIL") is not None
