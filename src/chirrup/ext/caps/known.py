"""What is known about entities by the hashes that they show: claims, and answers that were found to match."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final, TypeVar

from chirrup.core.errors import PayloadError
from chirrup.core.record import record
from chirrup.core.xml import Element
from chirrup.ext.caps import NS, NS_2
from chirrup.ext.caps.hashes import FUNCTIONS, LEGACY_FUNCTIONS, capability_hash, is_unambiguous, verification_string
from chirrup.ext.caps.payloads import Caps, Caps2
from chirrup.ext.disco.payloads import Info

C = TypeVar("C", Caps, Caps2)

_MAX_HASH: Final = 200
"""Characters of a hash in base64; none of the functions has as many."""
_MAX_NAME: Final = 64
"""Characters of the name of a hash function."""
_MAX_NODE: Final = 1024
"""Characters of the URI that names a program."""


@record
class Claim:
    """What an entity's presence says of its capabilities."""

    node: str
    """The service discovery node that tells what was hashed."""
    hashes: Mapping[str, tuple[str, str]]
    """The hashes that can be checked: their name here, and the specification ("1" or "2") with function."""

    @property
    def key(self) -> str:
        """The hash that the node is named after; empty where it can't be checked, and so counts for nobody else."""
        return next(iter(self.hashes), "")

    @property
    def names(self) -> list[str]:
        """The hashes by which it may be looked up: those of one specification, the newer one if it has any."""
        version = self.key[:1]
        return [name for name, (of, _) in self.hashes.items() if of == version]

    def proven(self, info: Info, lang: str = "") -> list[str]:
        """The names of those hashes that an answer has indeed, if it may count for others too.

        `lang` is the language of what holds the answer: it is that of identities without one (XEP-0390 §4.1)."""
        inherited = tuple(replace(one, lang=one.lang or lang or None) for one in info.identities)
        variants = {info.identities: info, inherited: replace(info, identities=inherited)}.values()
        return [name for name, how in self.hashes.items() if any(_matches(name, how, variant) for variant in variants)]


def _matches(name: str, how: tuple[str, str], info: Info) -> bool:
    version, function = how
    try:
        if version == "2":
            return name == f"2:{function}:{capability_hash(info, function)}"
        return name == f"1:{function}:{verification_string(info, function)}" and is_unambiguous(info)
    except ValueError:
        return False


def read_claim(presence: Element) -> Claim | None:
    """What presence says, if it says anything that makes sense: the hashes of XEP-0390 before that of XEP-0115."""
    hashes: dict[str, tuple[str, str]] = {}
    node = ""
    newer, older = _found(Caps2, presence), _found(Caps, presence)
    if newer is not None:
        offered = {one.algo: one for one in newer.hashes if len(one.value) <= _MAX_HASH and len(one.algo) <= _MAX_NAME}
        for function in FUNCTIONS:
            if (one := offered.get(function)) is not None:
                node = node or one.disco_node
                hashes[f"2:{function}:{one.value}"] = ("2", function)
        if not hashes and offered:  # none that is known here: who shows them is asked all the same (XEP-0390 §6.2.1)
            return Claim(next(iter(offered.values())).disco_node, {})
    if older is not None and len(older.ver) <= _MAX_HASH and len(older.node) <= _MAX_NODE:
        node = node or older.disco_node
        if older.hash in LEGACY_FUNCTIONS:
            hashes[f"1:{older.hash}:{older.ver}"] = ("1", older.hash)
    return Claim(node, hashes) if node else None


def _found(payload: type[C], presence: Element) -> C | None:
    """What presence has of that; None where it is malformed."""
    try:
        return payload.find(presence)
    except PayloadError:
        return None


def shows_nothing(presence: Element) -> bool:
    """Whether presence says nothing of capabilities."""
    return presence.child("c", NS) is None and presence.child("c", NS_2) is None


Write = Callable[[str, str | None], "asyncio.Future[object]"]
"""Stores what a hash stands for, or with None forgets it."""


class Known:
    """Features by hash, the ones looked up least lately forgotten first. Bounded, and kept in the store."""

    def __init__(self, limit: int, write: Write) -> None:
        self._limit = limit
        self._write = write
        self._features: OrderedDict[str, frozenset[str]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._features)

    def load(self, stored: Mapping[str, str]) -> None:
        for name, text in stored.items():
            self._features[name] = interned(json.loads(text))
        self._shrink()

    def find(self, claim: Claim) -> frozenset[str] | None:
        """The features that a claim stands for. Where there are hashes of XEP-0390, those of XEP-0115 don't count: they
        can be forged more easily (XEP-0390 §7.2)."""
        for name in claim.names:
            if (found := self._features.get(name)) is not None:
                self._features.move_to_end(name)
                return found
        return None

    def add(self, names: list[str], features: frozenset[str]) -> frozenset[str]:
        """Remember what these hashes stand for; the features, as they are kept."""
        features = interned(features)
        for name in names:
            if name not in self._features:
                self._write(name, json.dumps(sorted(features)))
            self._features[name] = features
            self._features.move_to_end(name)
        self._shrink()
        return features

    def _shrink(self) -> None:
        while len(self._features) > self._limit:
            name, _ = self._features.popitem(last=False)
            self._write(name, None)


def interned(features: Iterable[str]) -> frozenset[str]:
    """A set of features whose texts are shared with other sets. Only for what is remembered, which is bounded: Python
    3.12 keeps such texts for ever."""
    return frozenset(map(sys.intern, features))
