"""Devices and their keys (XEP-0384 §5)."""

from __future__ import annotations

from chirrup.core.payload import Payload, attribute, child, children, payload, text
from chirrup.ext.omemo import NS, OLD


@payload("device", NS)
class Device(Payload):
    """One of an account's devices."""

    id: int = attribute()
    label: str | None = attribute(default=None)
    """What people call it."""
    labelsig: str | None = attribute(default=None)
    """The label's signature by the device, in base64."""


@payload("devices", NS)
class Devices(Payload):
    """The devices of an account that want to be encrypted for."""

    devices: tuple[Device, ...] = children(Device)


@payload("spk", NS)
class SignedPreKey(Payload):
    """A key that the device has signed."""

    id: int = attribute()
    key: bytes = text()


@payload("spks", NS)
class Signature(Payload):
    """Its signature."""

    signature: bytes = text()


@payload("ik", NS)
class IdentityKey(Payload):
    """The key that stays."""

    key: bytes = text()


@payload("pk", NS)
class PreKey(Payload):
    """A key for one session."""

    id: int = attribute()
    key: bytes = text()


@payload("prekeys", NS)
class PreKeys(Payload):
    """Keys for one session each."""

    keys: tuple[PreKey, ...] = children(PreKey)


@payload("bundle", NS)
class Bundle(Payload):
    """What is needed to begin a session with a device."""

    signed_pre_key: SignedPreKey = child(SignedPreKey)
    signature: Signature = child(Signature)
    identity_key: IdentityKey = child(IdentityKey)
    pre_keys: PreKeys = child(PreKeys)


@payload("device", OLD)
class OldDevice(Payload):
    """One of an account's devices."""

    id: int = attribute()


@payload("list", OLD)
class OldDevices(Payload):
    """The devices of an account that want to be encrypted for."""

    devices: tuple[OldDevice, ...] = children(OldDevice)


@payload("signedPreKeyPublic", OLD)
class OldSignedPreKey(Payload):
    """A key that the device has signed."""

    id: int = attribute("signedPreKeyId")
    key: bytes = text()


@payload("signedPreKeySignature", OLD)
class OldSignature(Payload):
    """Its signature."""

    signature: bytes = text()


@payload("identityKey", OLD)
class OldIdentityKey(Payload):
    """The key that stays."""

    key: bytes = text()


@payload("preKeyPublic", OLD)
class OldPreKey(Payload):
    """A key for one session."""

    id: int = attribute("preKeyId")
    key: bytes = text()


@payload("prekeys", OLD)
class OldPreKeys(Payload):
    """Keys for one session each."""

    keys: tuple[OldPreKey, ...] = children(OldPreKey)


@payload("bundle", OLD)
class OldBundle(Payload):
    """What is needed to begin a session with a device."""

    signed_pre_key: OldSignedPreKey = child(OldSignedPreKey)
    signature: OldSignature = child(OldSignature)
    identity_key: OldIdentityKey = child(OldIdentityKey)
    pre_keys: OldPreKeys = child(OldPreKeys)
