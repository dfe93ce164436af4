"""Ids as they are told to others: by a secret one-to-one mapping, so that nothing can be inferred from them, and none
can be made up (XEP-0359 §6). Nothing is stored for it, and a message is found by its key."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

_ZEROS: Final = bytes(8)
_LENGTH: Final = 22
"""Characters of sixteen octets in base64, without the padding."""


class Uids:
    """AES of one block: eight octets of zeros, which tell a real one from a guess, and the number."""

    def __init__(self, secret: bytes) -> None:
        # Blocks are independent in this mode, so one context does for all.
        cipher = Cipher(algorithms.AES(secret), modes.ECB())
        self._encrypt = cipher.encryptor().update
        self._decrypt = cipher.decryptor().update

    def uid(self, number: int) -> str:
        return urlsafe_b64encode(self._encrypt(number.to_bytes(16, "big")))[:_LENGTH].decode()

    def id_of(self, uid: str) -> int | None:
        """The number; None for a text that is no uid of this store."""
        if len(uid) != _LENGTH or not uid.isascii():
            return None
        try:
            block = self._decrypt(urlsafe_b64decode(uid + "=="))
        except ValueError:
            return None
        if len(block) != 16 or block[:8] != _ZEROS:
            return None
        number = int.from_bytes(block, "big")
        return number if self.uid(number) == uid and number < 1 << 63 else None
