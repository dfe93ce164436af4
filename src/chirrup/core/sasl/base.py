"""What all SASL mechanisms share: the steps of a server's machine, and the two halves that a mechanism fills in.

Neither half does I/O or makes random numbers, nor is it slow at the server: what takes time (looking up keys,
hashing a password) the server's machine asks its caller for, by the step that it returns.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import field
from typing import ClassVar, Final, TypeAlias

from chirrup.core.errors import LocalProtocolError, SASLError
from chirrup.core.record import record
from chirrup.core.sasl.keys import ScramKeys, salt_password

MAX_MESSAGE_OCTETS: Final = 4096
"""How long any one message of an exchange may be."""

MAX_USERNAME_OCTETS: Final = 1023
"""How long a username may be in UTF-8: as long as a localpart (RFC 7622 §3.1)."""


@record
class Challenge:
    """Send this to the client and call `step` with its response."""

    data: bytes


@record
class NeedKeys:
    """Look up this user's keys and call `keys`; where there is no such user, with `decoy_keys`."""

    username: str
    """As the client sent it, unescaped; the caller prepares it."""
    algorithm: str


@record
class NeedPassword:
    """Find out whether this is the user's password (`keys_match`) and call `verified`."""

    username: str
    """As the client sent it; the caller prepares it."""
    password: str = field(repr=False)


@record
class NeedIdentity:
    """Find out whether the client's certificate lets it act as this identity and call `verified`."""

    authzid: str
    """As the client sent it; "" where it leaves the choice to the server."""


@record
class NeedTokens:
    """Look up the tokens that this user's client may have for this mechanism and call `tokens`."""

    username: str
    """As the client sent it; the caller prepares it."""
    mechanism: str


@record
class Success:
    """The client is who it says. Whether `username` may act as `authzid` is still the caller's to decide; where it
    may not, the exchange fails with invalid-authzid (RFC 6120 §6.5.6)."""

    username: str
    """The authentication identity as the client sent it; "" for an anonymous one."""
    authzid: str = ""
    """The authorization identity that the client asked for; "" for the one that follows from its username."""
    data: bytes | None = None
    """What to send along with the success."""


Step: TypeAlias = Challenge | NeedKeys | NeedPassword | NeedIdentity | NeedTokens | Success


@record
class NeedSaltedPassword:
    """To a client: call `salted` with what `derive()` returns."""

    algorithm: str
    password: str = field(repr=False)
    """Prepared."""
    salt: bytes
    iterations: int

    def derive(self) -> bytes:
        """SaltedPassword of RFC 5802 §3. Slow; touches nothing else, so a thread may do it."""
        return salt_password(self.algorithm, self.password, self.salt, self.iterations)


class ServerMechanism(ABC):
    """The server's half of one exchange. Any SASLError ends it; it is not to be used again.

    A mechanism says what it does with a message by `self._receive`, which is taken before it is called: a message that
    nothing asked for, early or after the end, so finds nobody.
    """

    client_first: ClassVar[bool] = True
    """Whether the client speaks first (RFC 4422 §5)."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._receive: Callable[[bytes], Step] | None = self._first
        self._begun = False

    def step(self, data: bytes | None) -> Step:
        """Take what the client sent: None for an `<auth/>` without an initial response, b"" for an empty one."""
        receive, self._receive = self._receive, None
        if receive is None:
            raise SASLError("malformed-request", "a response that no challenge asked for")
        begun, self._begun = self._begun, True
        if data is None and not begun and self.client_first:
            self._receive = receive
            return Challenge(b"")
        if data is not None and len(data) > MAX_MESSAGE_OCTETS:
            raise SASLError("malformed-request", f"longer than {MAX_MESSAGE_OCTETS} octets")
        return receive(data or b"")

    def keys(self, keys: ScramKeys) -> Step:
        """Answer `NeedKeys`."""
        raise LocalProtocolError(f"{self.name} asked for no keys")

    def verified(self, accepted: bool) -> Step:
        """Answer `NeedPassword` or `NeedIdentity`."""
        raise LocalProtocolError(f"{self.name} asked for no verdict")

    @abstractmethod
    def _first(self, data: bytes) -> Step:
        """Take the client's first message."""


class ClientMechanism(ABC):
    """The client's half of one exchange.

    Raises SASLError: malformed-request for a message of the server's that breaks the syntax, aborted for one that
    isn't to be trusted, not-authorized only where the server said so.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    @abstractmethod
    def initial(self) -> bytes | None:
        """The initial response, None in a mechanism where the server speaks first."""

    def respond(self, challenge: bytes) -> bytes | NeedSaltedPassword:
        """The response to a challenge, or what it takes to make it."""
        raise SASLError("aborted", f"{self.name} has no challenges")

    def salted(self, salted_password: bytes) -> bytes:
        """Answer `NeedSaltedPassword`: the response."""
        raise LocalProtocolError(f"{self.name} asked for no salted password")

    def finish(self, data: bytes | None) -> None:  # noqa: B027 - most mechanisms have nothing to check
        """Check what came with the server's success; None if nothing did.

        Until this was called, and returned, the server hasn't shown that it is the one it says.
        """


def check_username(username: str) -> str:
    """The username that a client sent, if it can be one. Raises SASLError("malformed-request")."""
    if not username or len(username.encode()) > MAX_USERNAME_OCTETS:
        raise SASLError("malformed-request", f"a username has 1 to {MAX_USERNAME_OCTETS} octets")
    return username
