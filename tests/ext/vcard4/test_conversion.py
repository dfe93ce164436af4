"""Published vCards in their older form (XEP-0292, Mapping)."""

from __future__ import annotations

from chirrup.core.values import parse_element
from chirrup.ext.vcard.payloads import Address, Email, Name, Organisation, Telephone, VCard
from chirrup.ext.vcard4.conversion import to_vcard_temp
from chirrup.ext.vcard4.payloads import VCard4

CARD = """
<vcard xmlns="urn:ietf:params:xml:ns:vcard-4.0">
  <fn><text>Peter Saint-Andre</text></fn>
  <n><surname>Saint-Andre</surname><given>Peter</given><additional></additional></n>
  <nickname><text>stpeter</text></nickname>
  <nickname><text>psa</text></nickname>
  <bday><date>1966-08-06</date></bday>
  <adr>
    <parameters><type><text>work</text><text>voice</text></type><pref><integer>1</integer></pref></parameters>
    <street>1899 Wynkoop Street</street><locality>Denver</locality><region>CO</region><code>80202</code>
    <country>USA</country>
  </adr>
  <tel><parameters><type><text>cell</text></type></parameters><uri>tel:+1-720-256-6756</uri></tel>
  <tel><text>5</text></tel>
  <title><text>Executive Director</text></title>
  <role><text>Patron Saint</text></role>
  <org><text>XMPP Standards Foundation</text></org>
  <url><uri>https://stpeter.im/</uri></url>
  <note><text>More about me</text></note>
  <email><parameters><type><text>home</text></type></parameters><text>stpeter@jabber.org</text></email>
  <impp><uri>sip:x@y</uri></impp>
  <impp><uri>xmpp:stpeter@jabber.org</uri></impp>
</vcard>
"""


def converted(text: str) -> VCard:
    return to_vcard_temp(VCard4.parse(parse_element(text.strip())))


def test_what_has_a_place_in_both() -> None:
    assert converted(CARD) == VCard(
        full_name="Peter Saint-Andre",
        name=Name("Saint-Andre", "Peter"),
        nickname="stpeter, psa",
        birthday="1966-08-06",
        addresses=(
            Address(
                work=True, street="1899 Wynkoop Street", locality="Denver", region="CO", code="80202", country="USA"
            ),
        ),
        telephones=(Telephone("+1-720-256-6756", cell=True), Telephone("5")),
        emails=(Email("stpeter@jabber.org", home=True),),
        jid="stpeter@jabber.org",
        organisation=Organisation("XMPP Standards Foundation"),
        title="Executive Director",
        role="Patron Saint",
        url="https://stpeter.im/",
        description="More about me",
    )


def test_an_empty_one() -> None:
    assert converted("<vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'/>") == VCard()
