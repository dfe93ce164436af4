from __future__ import annotations

from dataclasses import replace

import pytest

from chirrup.core.values import parse_element
from chirrup.ext.caps.hashes import capability_hash, is_unambiguous, verification_string
from chirrup.ext.caps.payloads import Caps, Hash
from chirrup.ext.disco.payloads import Feature, Identity, Info


def info(xml: str) -> Info:
    return Info.parse(parse_element(f"<query xmlns='http://jabber.org/protocol/disco#info'>{xml}</query>"))


def features(*names: str) -> str:
    return "".join(f"<feature var='{name}'/>" for name in names)


COMMON = features(
    "http://jabber.org/protocol/muc",
    "http://jabber.org/protocol/disco#items",
    "http://jabber.org/protocol/caps",
    "http://jabber.org/protocol/disco#info",
)
EXODUS = info("<identity category='client' name='Exodus 0.9.1' type='pc'/>" + COMMON)
SOFTWARE = """
    <x xmlns='jabber:x:data' type='result'>
      <field var='FORM_TYPE' type='hidden'><value>urn:xmpp:dataforms:softwareinfo</value></field>
      <field var='os'><value>Mac</value></field>
      <field var='ip_version' type='text-multi'><value>ipv6</value><value>ipv4</value></field>
      <field var='software'><value>Psi</value></field>
      <field var='os_version'><value>10.5.1</value></field>
      <field var='software_version'><value>0.11</value></field>
    </x>
"""
PSI = info(
    "<identity xml:lang='en' category='client' name='Psi 0.11' type='pc'/>"
    "<identity xml:lang='el' category='client' name='Ψ 0.11' type='pc'/>" + COMMON + SOFTWARE
)
BOMBUS = info(
    "<identity category='client' name='BombusMod' type='mobile'/>"
    + features(
        "http://jabber.org/protocol/si",
        "http://jabber.org/protocol/bytestreams",
        "http://jabber.org/protocol/chatstates",
        "http://jabber.org/protocol/disco#info",
        "http://jabber.org/protocol/disco#items",
        "urn:xmpp:ping",
        "jabber:iq:time",
        "jabber:iq:privacy",
        "jabber:iq:version",
        "http://jabber.org/protocol/rosterx",
        "urn:xmpp:time",
        "jabber:x:oob",
        "http://jabber.org/protocol/ibb",
        "http://jabber.org/protocol/si/profile/file-transfer",
        "urn:xmpp:receipts",
        "jabber:iq:roster",
        "jabber:iq:last",
    )
)
TKABBER = info(
    "<identity category='client' name='Tkabber' type='pc' xml:lang='en'/>"
    "<identity category='client' name='Ткаббер' type='pc' xml:lang='ru'/>"
    + features(
        "games:board",
        *[
            f"http://jabber.org/protocol/{name}"
            for name in (
                "activity", "activity+notify", "bytestreams", "chatstates", "commands", "disco#info", "disco#items",
                "evil", "feature-neg", "geoloc", "geoloc+notify", "ibb", "iqibb", "mood", "mood+notify", "rosterx",
                "si", "si/profile/file-transfer", "tune",
            )
        ],
        "http://www.facebook.com/xmpp/messages",
        "http://www.xmpp.org/extensions/xep-0084.html#ns-metadata+notify",
        *[
            f"jabber:iq:{name}"
            for name in (
                "avatar", "browse", "dtcp", "filexfer", "ibb", "inband", "jidlink", "last", "oob", "privacy",
                "roster", "time", "version",
            )
        ],
        "jabber:x:data",
        "jabber:x:event",
        "jabber:x:oob",
        "urn:xmpp:avatar:metadata+notify",
        "urn:xmpp:ping",
        "urn:xmpp:receipts",
        "urn:xmpp:time",
    )
    + """
    <x xmlns='jabber:x:data' type='result'>
      <field type='hidden' var='FORM_TYPE'><value>urn:xmpp:dataforms:softwareinfo</value></field>
      <field var='software'><value>Tkabber</value></field>
      <field var='software_version'><value>0.11.1-svn-20111216-mod (Tcl/Tk 8.6b2)</value></field>
      <field var='os'><value>Windows</value></field>
      <field var='os_version'><value>XP</value></field>
    </x>
    """
)  # fmt: skip


@pytest.mark.parametrize(
    ("told", "ver"), [(EXODUS, "QgayPKawpkPSDYmwT/WM94uAlu0="), (PSI, "q07IKJEyjvHSyhy//CH0CxmKi8w=")]
)
def test_the_examples_of_xep_0115(told: Info, ver: str) -> None:
    assert verification_string(told) == ver
    assert is_unambiguous(told)


@pytest.mark.parametrize(
    ("told", "function", "value"),
    [
        (BOMBUS, "sha-256", "kzBZbkqJ3ADrj7v08reD1qcWUwNGHaidNUgD7nHpiw8="),
        (BOMBUS, "sha3-256", "79mdYAfU9rEdTOcWDO7UEAt6E56SUzk/g6TnqUeuD9Q="),
        (TKABBER, "sha-256", "u79ZroNJbdSWhdSp311mddz44oHHPsEBntQ5b1jqBSY="),
        (TKABBER, "sha3-256", "XpUJzLAc93258sMECZ3FJpebkzuyNXDzRNwQog8eycg="),
    ],
)
def test_the_examples_of_xep_0390(told: Info, function: str, value: str) -> None:
    assert capability_hash(told, function) == value


@pytest.mark.parametrize("function", ["md5", "sha-0", ""])
def test_functions_that_are_not_known(function: str) -> None:
    with pytest.raises(ValueError, match="isn't known"):
        verification_string(EXODUS, function)
    with pytest.raises(ValueError, match="isn't known"):
        capability_hash(EXODUS, function)


def test_sha_1_is_for_the_old_hashes_alone() -> None:
    with pytest.raises(ValueError, match="isn't known"):
        capability_hash(EXODUS, "sha-1")


FORM = "<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'><value>a</value></field></x>"


@pytest.mark.parametrize(
    "xml",
    [
        "<identity category='client' type='pc'/>" * 2,
        features("urn:xmpp:ping", "urn:xmpp:ping"),
        FORM * 2,
        "<x xmlns='jabber:x:data' type='result'>"
        "<field var='FORM_TYPE' type='hidden'><value>a</value><value>b</value></field></x>",
    ],
)
def test_what_is_ill_formed_for_xep_0115(xml: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        verification_string(info(xml))


def test_forms_that_do_not_say_what_they_are_about() -> None:
    form = "<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE'><value>a</value></field></x>"
    told = info("<identity category='client' name='Exodus 0.9.1' type='pc'/>" + COMMON + form)
    assert verification_string(told) == verification_string(EXODUS)
    with pytest.raises(ValueError, match="what it is about"):
        capability_hash(told)


@pytest.mark.parametrize(
    "xml",
    [
        "<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'><value>a</value></field>"
        "<reported><field var='b'/></reported></x>",
        "<other/>",
        "<x xmlns='other'/>",
    ],
)
def test_what_has_no_hash_of_xep_0390(xml: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        capability_hash(info(xml))


def test_features_that_are_dressed_up_as_something_else() -> None:
    """The same string to hash from different answers: these count for their senders only."""
    hidden = info(
        "<identity category='client' name='Exodus 0.9.1' type='pc'/>"
        "<identity category='http:' type='' xml:lang='jabber.org' name='protocol/caps'/>"
        + features(
            "http://jabber.org/protocol/disco#info",
            "http://jabber.org/protocol/disco#items",
            "http://jabber.org/protocol/muc",
        )
    )
    assert verification_string(hidden) == verification_string(EXODUS)
    assert not is_unambiguous(hidden)
    joined = info(
        "<identity category='client' type='pc' name='Exodus 0.9.1&lt;http://jabber.org/protocol/caps'/>"
        + features(
            "http://jabber.org/protocol/disco#info",
            "http://jabber.org/protocol/disco#items",
            "http://jabber.org/protocol/muc",
        )
    )
    assert verification_string(joined) == verification_string(EXODUS)
    assert not is_unambiguous(joined)
    as_form = info(
        "<identity category='client' name='Exodus 0.9.1' type='pc'/>"
        + features("http://jabber.org/protocol/caps", "http://jabber.org/protocol/disco#info")
        + "<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'>"
        "<value>http://jabber.org/protocol/disco#items</value></field>"
        "<field var='http://jabber.org/protocol/muc'/></x>"
    )
    assert verification_string(as_form) == verification_string(EXODUS)
    assert not is_unambiguous(as_form)


def test_a_name_with_an_entity_in_it_stays_what_it_is() -> None:
    """`&amp;lt;` is no `<` (XEP-0115 §5.4)."""
    told = replace(EXODUS, identities=(Identity("client", "pc", "SomeClient&lt;http://jabber.org/protocol/muc"),))
    other = replace(
        EXODUS,
        identities=(Identity("client", "pc", "SomeClient"),),
        features=(*EXODUS.features, Feature("http://jabber.org/protocol/muc#user")),
    )
    assert verification_string(told) != verification_string(other)


def test_nodes() -> None:
    assert Caps("http://psi-im.org", "q07=", "sha-1").disco_node == "http://psi-im.org#q07="
    assert Hash("sha-256", "u79=").disco_node == "urn:xmpp:caps#sha-256.u79="
