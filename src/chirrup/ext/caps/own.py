"""What an entity itself shows of what it can do, and what it has shown before."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from chirrup.core.xml import Element
from chirrup.ext.caps.hashes import capability_hash, verification_string
from chirrup.ext.caps.payloads import Caps, Caps2, Hash
from chirrup.ext.disco.payloads import Info

HISTORY: Final = 8
"""Of how many states of itself it still tells what they were; XEP-0390 §6.1 asks for three."""


class Own:
    """The hashes of an entity's own capabilities, and what they are the hashes of."""

    def __init__(self, functions: Sequence[str]) -> None:
        """`functions` are those of XEP-0390 by which it is hashed."""
        self._functions = functions
        self._shown: tuple[str, Info, tuple[Element, ...]] | None = None
        self._told: OrderedDict[str, Info] = OrderedDict()

    def show(self, node: str, info: Info) -> tuple[Element, ...]:
        """What shows these capabilities, in both formats; the same elements as long as it is the same object. `node` is
        the URI that names the program."""
        if self._shown is None or self._shown[0] != node or self._shown[1] is not info:
            older = Caps(node, verification_string(info), "sha-1")
            newer = Caps2(tuple(Hash(function, capability_hash(info, function)) for function in self._functions))
            nodes = (older.disco_node, *(one.disco_node for one in newer.hashes))
            for one in nodes:
                self._told[one] = info
                self._told.move_to_end(one)
            while len(self._told) > HISTORY * len(nodes):
                self._told.popitem(last=False)
            self._shown = node, info, (older.to_element(), newer.to_element())
        return self._shown[2]

    def tell(self, node: str) -> Info | None:
        """What it was when it showed the hash that a service discovery node is named after; nodes of hashes that it
        never showed don't exist."""
        info = self._told.get(node)
        return None if info is None else Info(node, info.identities, info.features, info.forms)
