from __future__ import annotations

from chirrup.core.values import parse_element
from chirrup.ext.omemo.payloads import Bundle, Devices, OldBundle, OldDevices


def test_devices() -> None:
    element = parse_element(
        "<devices xmlns='urn:xmpp:omemo:2'>"
        "<device id='12345' label='Dino' labelsig='AAEC'/><device id='4223'/></devices>"
    )
    devices = Devices.parse(element)
    assert [(one.id, one.label) for one in devices.devices] == [(12345, "Dino"), (4223, None)]
    assert devices.to_element() == element


def test_keys() -> None:
    element = parse_element(
        "<bundle xmlns='urn:xmpp:omemo:2'><spk id='1'>AAEC</spk><spks>AwQF</spks><ik>BgcI</ik>"
        "<prekeys><pk id='1'>CQoL</pk><pk id='2'>DA0O</pk></prekeys></bundle>"
    )
    bundle = Bundle.parse(element)
    assert (bundle.signed_pre_key.id, bundle.signed_pre_key.key) == (1, b"\x00\x01\x02")
    assert [one.key for one in bundle.pre_keys.keys] == [b"\x09\x0a\x0b", b"\x0c\x0d\x0e"]
    assert bundle.to_element() == element


def test_version_0_3() -> None:
    devices = parse_element("<list xmlns='eu.siacs.conversations.axolotl'><device id='12345'/></list>")
    assert [one.id for one in OldDevices.parse(devices).devices] == [12345]
    element = parse_element(
        "<bundle xmlns='eu.siacs.conversations.axolotl'>"
        "<signedPreKeyPublic signedPreKeyId='1'>AAEC</signedPreKeyPublic>"
        "<signedPreKeySignature>AwQF</signedPreKeySignature><identityKey>BgcI</identityKey>"
        "<prekeys><preKeyPublic preKeyId='7'>CQoL</preKeyPublic></prekeys></bundle>"
    )
    bundle = OldBundle.parse(element)
    assert (bundle.identity_key.key, bundle.pre_keys.keys[0].id) == (b"\x06\x07\x08", 7)
    assert bundle.to_element() == element
