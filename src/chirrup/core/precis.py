"""Profiles of PRECIS (RFC 8264), as the library has them, in a time that doesn't grow with the square of the length.

The library looks at all of a text again for each Arabic digit and each katakana middle dot in it, and takes long for
any character: an address of 1,023 octets took it a tenth of a second, and one that was made for that comes with each
stanza."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from precis_i18n.profile import Profile

_ASKS_ALL: Final = re.compile("[\u30fb\u0660-\u0669\u06f0-\u06f9]")
"""Characters whose rule looks at all the others, wherever it stands itself (RFC 5892 §§A.7, A.8, A.9)."""
_ASKS_AROUND: Final = frozenset(
    map(chr, (0x200C, 0x200D, 0xB7, 0x375, 0x5F3, 0x5F4, 0x30FB, *range(0x660, 0x66A), *range(0x6F0, 0x6FA)))
)
"""All that have a rule of what has to be around them (RFC 5892 §A)."""


def prepare(name: str, text: str) -> str:
    """What a profile, such as "OpaqueString", makes of a text. Raises ValueError for one that it doesn't allow."""
    profile = _profile(name)
    prepared = profile.idempotence_check(profile.apply_five_rules(text))
    if not prepared:
        raise ValueError("it is empty")
    if not all(_stands_anywhere(name, character) for character in set(prepared)):
        profile.base.enforce(_ASKS_ALL.sub(_once(), prepared), name)
    return prepared


@cache
def _profile(name: str) -> Profile:
    from precis_i18n import get_profile

    return get_profile(name)


@lru_cache(maxsize=4096)
def _stands_anywhere(profile: str, character: str) -> bool:
    """Whether a character is allowed, whatever is around it."""
    try:
        _profile(profile).base.enforce(character, profile)
    except ValueError:
        return False
    return character not in _ASKS_AROUND


def _once() -> Callable[[re.Match[str]], str]:
    """Lets a character stand once, and puts one in its further places that matters to no rule."""
    seen = set[str]()

    def replace(match: re.Match[str]) -> str:
        if match[0] in seen:
            return "0"
        seen.add(match[0])
        return match[0]

    return replace
