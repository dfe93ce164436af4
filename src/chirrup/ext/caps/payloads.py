"""The hashes that stand in presence and in stream features (XEP-0115 §4, XEP-0390 §4.2)."""

from __future__ import annotations

from chirrup.core.payload import Payload, attribute, children, payload, text
from chirrup.ext.caps import HASHES, NODE_PREFIX, NS, NS_2


@payload("c", NS)
class Caps(Payload):
    """A verification string and whose it is."""

    node: str = attribute()
    """A URI that names the program."""
    ver: str = attribute()
    hash: str | None = attribute(default=None)
    """The hash function's name; without one, `ver` is a version of the program, as it was before XEP-0115 1.4."""

    @property
    def disco_node(self) -> str:
        """The node at which the entity tells what was hashed."""
        return f"{self.node}#{self.ver}"


@payload("hash", HASHES)
class Hash(Payload):
    """One hash (XEP-0300)."""

    algo: str = attribute()
    value: str = text()
    """In base64."""

    @property
    def disco_node(self) -> str:
        """The node at which the entity tells what was hashed (XEP-0390 §4.3)."""
        return f"{NODE_PREFIX}{self.algo}.{self.value}"


@payload("c", NS_2)
class Caps2(Payload):
    """The hashes of one disco#info answer, by several functions."""

    hashes: tuple[Hash, ...] = children(Hash)
