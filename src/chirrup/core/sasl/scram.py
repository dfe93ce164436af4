"""SCRAM: both sides prove that they know the password, or its keys, and neither says it (RFC 5802, RFC 7677).

The -PLUS forms bind the proof to the TLS connection by its channel binding data (RFC 5929, RFC 9266), so that nobody
can sit between two connections. An extension of the server's first message protects the lists of what it offers
(XEP-0474), which both proofs then cover.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Final

from chirrup.core.errors import LocalProtocolError, SASLError
from chirrup.core.sasl.base import (
    MAX_MESSAGE_OCTETS,
    Challenge,
    ClientMechanism,
    NeedKeys,
    NeedSaltedPassword,
    ServerMechanism,
    Step,
    Success,
    check_username,
)
from chirrup.core.sasl.downgrade import Advertised
from chirrup.core.sasl.encoding import decode_utf8, plain_base64
from chirrup.core.sasl.keys import (
    HASHES,
    ScramKeys,
    client_and_server_key,
    digest,
    digest_size,
    prepare_password,
    sign,
)
from chirrup.core.sasl.scram_messages import (
    NONCE,
    escape_name,
    extension,
    parse_attributes,
    parse_base64,
    parse_gs2_header,
    parse_iterations,
    parse_nonce,
    unescape_name,
)

PLUS: Final = "-PLUS"

NAMES: Final = tuple(f"SCRAM-{hash_name}{suffix}" for suffix in (PLUS, "") for hash_name in reversed(HASHES))
"""The mechanisms, strongest first: those that bind to the channel, then by hash function."""

MIN_ITERATIONS: Final = 4096
"""What RFC 5802 §5.1 wants of servers at least; fewer would let an impostor find the password from the proof."""

MAX_ITERATIONS: Final = 10_000_000
"""Some seconds of work; more is an attack on the client (RFC 5802 §9)."""

SaltedPasswords = dict[tuple[str, bytes, int], bytes]
"""A client's memory of what it derived slowly: SaltedPassword by algorithm, salt and iterations. One for each
account, to be forgotten with its password; holds the last one that worked, which is as good as the password."""


class ScramServer(ServerMechanism):
    """Asks for the user's keys: `NeedKeys`, then `keys`; then has the client prove that it knows the password."""

    def __init__(
        self,
        name: str,
        *,
        nonce: str,
        channel_bindings: Mapping[str, bytes],
        channel_binding_offered: bool,
        advertised: Advertised | None = None,
    ) -> None:
        """`channel_bindings` are data by type; `channel_binding_offered` whether the client was offered any -PLUS
        form; `advertised` all that it was offered, to be told once more. Raises ValueError for a nonce that isn't
        printable ASCII without comma."""
        super().__init__(name)
        self._algorithm = algorithm_of(name)
        self._channel_bindings = channel_bindings
        self._channel_binding_offered = channel_binding_offered
        self._advertised = advertised
        self._nonce = _own_nonce(nonce)
        self._binding_input = b""
        self._claimed: Success | None = None
        self._first_bare = ""
        self._keys: ScramKeys | None = None
        self._server_first = ""

    def _first(self, data: bytes) -> Step:
        message = decode_utf8(data)
        header = parse_gs2_header(message)
        self._binding_input = header.text.encode() + self._binding_data(header.flag, header.binding)
        self._first_bare = message.removeprefix(header.text)
        username, nonce = parse_attributes(self._first_bare, "n", "r")
        self._claimed = Success(check_username(unescape_name(username)), header.authzid)
        self._nonce = parse_nonce(nonce) + self._nonce
        return NeedKeys(self._claimed.username, self._algorithm)

    def _binding_data(self, flag: str, binding: str) -> bytes:
        """What the client has to show that it knows of the channel (RFC 5802 §6)."""
        if (flag == "p") != self.name.endswith(PLUS):
            raise SASLError("malformed-request", f"the channel binding flag {flag!r} doesn't go with {self.name}")
        if flag == "y" and self._channel_binding_offered:
            raise SASLError("not-authorized", "channel binding was offered, and the client didn't see it")
        if flag != "p":
            return b""
        data = self._channel_bindings.get(binding)
        if not data:
            raise SASLError("not-authorized", "that type of channel binding is not supported")
        return data

    def keys(self, keys: ScramKeys) -> Step:
        if self._claimed is None or self._keys is not None:
            raise LocalProtocolError(f"{self.name} asked for no keys")
        if keys.algorithm != self._algorithm:
            raise LocalProtocolError(f"{self.name} asked for keys of {self._algorithm}, not of {keys.algorithm}")
        self._keys = keys
        confirmed = f",h={self._advertised.hash(self._algorithm)}" if self._advertised else ""
        self._server_first = f"r={self._nonce},s={plain_base64(keys.salt)},i={keys.iterations}{confirmed}"
        self._receive = self._final
        return Challenge(self._server_first.encode())

    def _final(self, data: bytes) -> Step:
        without_proof, _, proof = decode_utf8(data).rpartition(",p=")
        binding_input, nonce = parse_attributes(without_proof, "c", "r")
        if not hmac.compare_digest(parse_base64(binding_input), self._binding_input):
            raise SASLError("not-authorized", "channel bindings don't match")
        if not hmac.compare_digest(nonce.encode(), self._nonce.encode()):
            raise SASLError("not-authorized", "not the nonce that was sent")
        signed = f"{self._first_bare},{self._server_first},{without_proof}".encode()
        return self._prove(signed, parse_base64(proof))

    def _prove(self, signed: bytes, proof: bytes) -> Success:
        """Check the client's proof and make the server's. `signed` is AuthMessage of RFC 5802 §3."""
        keys, claimed = self._keys, self._claimed
        if keys is None or claimed is None:
            raise LocalProtocolError(f"{self.name} has no keys yet")
        client_signature = sign(keys.algorithm, keys.stored_key, signed)
        client_key = _xor(proof, client_signature)
        if not hmac.compare_digest(digest(keys.algorithm, client_key), keys.stored_key):
            raise SASLError("not-authorized")
        verifier = plain_base64(sign(keys.algorithm, keys.server_key, signed))
        return Success(claimed.username, claimed.authzid, f"v={verifier}".encode())


class ScramClient(ClientMechanism):
    """Proves the password, and has the server prove that it knows it too. The slow part is asked of the caller, by
    `NeedSaltedPassword`, unless `salted_passwords` remembers it."""

    def __init__(
        self,
        name: str,
        *,
        username: str,
        password: str,
        nonce: str,
        channel_bindings: Mapping[str, bytes],
        authzid: str = "",
        advertised: Advertised | None = None,
        salted_passwords: SaltedPasswords | None = None,
        min_iterations: int = MIN_ITERATIONS,
        max_iterations: int = MAX_ITERATIONS,
    ) -> None:
        """`channel_bindings` are the data of the types that both sides know, the preferred first; without -PLUS
        they say that the server offered no such form. `advertised` is what was read in the server's offer, which it
        may confirm. Raises ValueError for what the messages can't carry."""
        super().__init__(name)
        self._algorithm = algorithm_of(name)
        self._password = prepare_password(password)
        self._nonce = _own_nonce(nonce)
        self._header, self._binding_data = _bind(name, channel_bindings, authzid)
        self._first_bare = f"n={escape_name(username)},r={self._nonce}"
        self._salted_passwords: SaltedPasswords = {} if salted_passwords is None else salted_passwords
        self._min_iterations, self._max_iterations = min_iterations, max_iterations
        self._advertised = advertised
        self._salted: tuple[tuple[str, bytes, int], bytes] | None = None
        self._asked: tuple[str, str, bytes, int] | None = None  # server's first message, nonce, salt, iterations
        self._server_signature: bytes | None = None
        self._proven = False

    def initial(self) -> bytes:
        return (self._header + self._first_bare).encode()

    def respond(self, challenge: bytes) -> bytes | NeedSaltedPassword:
        """Answer the server's first message. Its last comes with success, or as a challenge of its own from servers
        that don't know how; that has an empty answer."""
        if len(challenge) > MAX_MESSAGE_OCTETS:
            raise SASLError("malformed-request", f"longer than {MAX_MESSAGE_OCTETS} octets")
        message = decode_utf8(challenge)
        if self._server_signature is None and self._asked is None:
            return self._answer(message)
        self._check(message)
        return b""

    def finish(self, data: bytes | None) -> None:
        if data:
            self._check(decode_utf8(data))
        if not self._proven:
            raise SASLError("aborted", "the server said success without proof that it knows the password")

    def _answer(self, server_first: str) -> bytes | NeedSaltedPassword:
        if server_first.startswith("e="):
            raise _server_error(server_first)
        nonce, salt_text, count = parse_attributes(server_first, "r", "s", "i")
        if not parse_nonce(nonce).startswith(self._nonce) or nonce == self._nonce:
            raise SASLError("aborted", "the server's nonce doesn't continue ours")
        self._check_offer(extension(server_first, "h"))
        salt, iterations = parse_base64(salt_text), parse_iterations(count)
        check_iterations(iterations, self._min_iterations, self._max_iterations)
        self._asked = server_first, nonce, salt, iterations
        known = self._salted_passwords.get((self._algorithm, salt, iterations))
        if known is None:
            return NeedSaltedPassword(self._algorithm, self._password, salt, iterations)
        return self.salted(known)

    def _check_offer(self, confirmed: str | None) -> None:
        """Whether the server has offered what was read: a hash that somebody changed on the way spoils the proofs."""
        advertised = self._advertised
        if advertised is None or (confirmed is None and not advertised.suspect):
            return
        if confirmed is None or not hmac.compare_digest(advertised.hash(self._algorithm).encode(), confirmed.encode()):
            raise SASLError("aborted", "somebody changed the server's list of mechanisms on the way")

    def salted(self, salted_password: bytes) -> bytes:
        if self._asked is None or self._server_signature is not None:
            raise LocalProtocolError(f"{self.name} asked for no salted password")
        if len(salted_password) != digest_size(self._algorithm):
            raise LocalProtocolError(f"that is no salted password of {self._algorithm}")
        server_first, nonce, salt, iterations = self._asked
        self._salted = (self._algorithm, salt, iterations), salted_password
        client_key, server_key = client_and_server_key(self._algorithm, salted_password)
        binding_input = plain_base64(self._header.encode() + self._binding_data)
        without_proof = f"c={binding_input},r={nonce}"
        signed = f"{self._first_bare},{server_first},{without_proof}".encode()
        self._server_signature = sign(self._algorithm, server_key, signed)
        client_signature = sign(self._algorithm, digest(self._algorithm, client_key), signed)
        return f"{without_proof},p={plain_base64(_xor(client_key, client_signature))}".encode()

    def _check(self, server_final: str) -> None:
        """Whether the server proved that it knows the password (RFC 5802 §5)."""
        if server_final.startswith("e="):
            raise _server_error(server_final)
        (verifier,) = parse_attributes(server_final, "v")
        if self._server_signature is None or self._salted is None or self._proven:
            raise SASLError("aborted", "the server's last message came out of turn")
        if not hmac.compare_digest(parse_base64(verifier), self._server_signature):
            raise SASLError("aborted", "the server doesn't know the password: it isn't the one that it says")
        self._proven = True
        self._salted_passwords.clear()
        self._salted_passwords[self._salted[0]] = self._salted[1]


def check_iterations(iterations: int, least: int = MIN_ITERATIONS, most: int = MAX_ITERATIONS) -> None:
    """Raises SASLError for a number that a client must not work for."""
    if not least <= iterations <= most:
        raise SASLError("aborted", f"the server wants {iterations} iterations; {least} to {most} are allowed")


def algorithm_of(name: str) -> str:
    """The hash function of a mechanism. Raises ValueError for what isn't in `NAMES`."""
    if name not in NAMES:
        raise ValueError(f"{name!r} is no SCRAM mechanism of ours")
    return name.removeprefix("SCRAM-").removesuffix(PLUS)


def _bind(name: str, channel_bindings: Mapping[str, bytes], authzid: str) -> tuple[str, bytes]:
    """The client's GS2 header, and the channel binding data that goes with it (RFC 5802 §6)."""
    binding = next(iter(channel_bindings), None)
    flag, data = ("n" if binding is None else "y"), b""
    if name.endswith(PLUS):
        if binding is None:
            raise ValueError(f"{name} needs channel binding data")
        flag, data = f"p={binding}", channel_bindings[binding]
    asked_for = f"a={escape_name(authzid)}" if authzid else ""
    return f"{flag},{asked_for},", data


def _own_nonce(nonce: str) -> str:
    if not NONCE.fullmatch(nonce):
        raise ValueError("a nonce is printable ASCII without comma")
    return nonce


def _server_error(message: str) -> SASLError:
    return SASLError("not-authorized", message[2:].partition(",")[0])


def _xor(first: bytes, second: bytes) -> bytes:
    if len(first) != len(second):
        raise SASLError("malformed-request", f"a proof of {len(second)} octets has {len(first)}")
    return bytes(a ^ b for a, b in zip(first, second, strict=True))
