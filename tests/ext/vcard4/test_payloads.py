from __future__ import annotations

from chirrup.core.values import parse_element
from chirrup.ext.vcard4.payloads import VCard4

CARD = """
<vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'>
  <fn><text>Peter Saint-Andre</text></fn>
  <n><surname>Saint-Andre</surname><given>Peter</given><additional/></n>
  <nickname><text>stpeter</text></nickname>
  <nickname><text>psa</text></nickname>
  <photo><uri>https://stpeter.im/images/stpeter_oscon.jpg</uri></photo>
  <bday><date>1966-08-06</date></bday>
  <adr><parameters><type><text>home</text></type></parameters><locality>Parker</locality><country>USA</country></adr>
  <tel><parameters><type><text>work</text></type></parameters><uri>tel:+1-303-308-3282</uri></tel>
  <impp><uri>xmpp:stpeter@jabber.org</uri></impp>
  <org><text>XMPP Standards Foundation</text></org>
  <geo><uri>geo:39.59,-105.01</uri></geo>
  <note><text>More</text></note>
</vcard>
"""


def test_the_example_of_xep_0292() -> None:
    card = VCard4.parse(parse_element(CARD.strip()))
    assert [name.text for name in card.full_names] == ["Peter Saint-Andre"]
    assert card.name is not None
    assert (card.name.surnames, card.name.given) == (("Saint-Andre",), ("Peter",))
    assert [name.texts for name in card.nicknames] == [("stpeter",), ("psa",)]
    assert card.birthday is not None
    assert card.birthday.date == "1966-08-06"
    assert card.addresses[0].others[0].name == "parameters"
    assert [other.name for other in card.others] == ["geo"]
    assert VCard4.parse(card.to_element()).to_element() == card.to_element()
