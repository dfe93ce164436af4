"""What end-to-end encryption by OMEMO publishes: devices and their keys (XEP-0384 version 0.9.1), and the same as
version 0.3 has it, which most clients speak."""

from __future__ import annotations

from typing import Final

NS: Final = "urn:xmpp:omemo:2"
DEVICES: Final = "urn:xmpp:omemo:2:devices"
"""The node of the list of devices, one item with the id "current"."""
BUNDLES: Final = "urn:xmpp:omemo:2:bundles"
"""The node of the keys, an item for each device, with the device's number as id."""
OLD: Final = "eu.siacs.conversations.axolotl"
"""XEP-0384 version 0.3."""
OLD_DEVICES: Final = f"{OLD}.devicelist"
OLD_BUNDLES: Final = f"{OLD}.bundles:"
"""What the names of the nodes with keys begin with; the device's number follows."""
XEPS: Final = ((384, "0.9.1", "the payloads of its nodes, also of version 0.3"),)
