"""Downgrade protection (XEP-0474): the lists that a server advertises, told once more where nobody can change them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from chirrup.core.record import record
from chirrup.core.sasl.encoding import plain_base64
from chirrup.core.sasl.keys import digest

XEPS: Final = ((474, "0.5.0", ""),)

_BETWEEN: Final = "\x1e"
_BEFORE_TYPES: Final = "\x1f"


@record
class Advertised:
    """What a server has offered in its stream features, as it stood there."""

    mechanisms: tuple[str, ...]
    """In the profile of SASL that is used (RFC 6120 or XEP-0388)."""
    binding_types: tuple[str, ...] | None = None
    """By XEP-0440; None where it wasn't used."""
    suspect: bool = False
    """Whether the types look tampered with: then the server has to confirm the lists (§7, new rule 6)."""

    def hash(self, algorithm: str) -> str:
        """What a server adds to its first message as `h=` (§6.1)."""
        text = _join(self.mechanisms)
        if self.binding_types is not None:
            text += _BEFORE_TYPES + _join(self.binding_types)
        return plain_base64(digest(algorithm, text.encode()))


def _join(names: Iterable[str]) -> str:
    return _BETWEEN.join(sorted(names, key=str.encode))
