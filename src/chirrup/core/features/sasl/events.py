"""What the program is asked and told while somebody authenticates, by whatever profile of SASL."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field

from chirrup.core.features import Event
from chirrup.core.record import record


@record
class NeedKeys(Event):
    """Answer by `keys(…)`, for a user that doesn't exist by decoys; or by `reject(error)`."""

    username: str
    """A localpart, prepared."""
    algorithm: str


@record
class NeedPassword(Event):
    """Answer by `verified(…)`, or by `reject(error)`."""

    username: str
    """A localpart, prepared."""
    password: str = field(repr=False)


@record
class NeedIdentity(Event):
    """May the peer, with the certificate that it has, act as this identity? Answer by `verified(…)`, or by
    `reject(error)`."""

    authzid: str
    """As the peer sent it; "" where the certificate has one address and the peer is content with that."""


@record
class NeedTokens(Event):
    """Answer by `tokens(…)`, none for a user that doesn't exist; or by `reject(error)`."""

    username: str
    """A localpart, prepared."""
    client: str
    """The id of the client's installation."""
    mechanism: str
    """What the token must be good for."""


@record
class NeedSaltedPassword(Event):
    """To a client that doesn't derive its keys on the spot: answer by `salted(need.derive())`, which is slow and may be
    done by a thread."""

    algorithm: str
    salt: bytes
    iterations: int
    derive: Callable[[], bytes] = field(repr=False, compare=False)


@record
class NeedCredentials(Event):
    """To a client without credentials: the server is ready to authenticate it. Answer by `authenticate(…)`; before
    that, `send(iq)` may register an account."""

    mechanisms: tuple[str, ...]


@record
class Authenticated(Event):
    """The initiating entity is who it says; at a client: and the server has proved what the mechanism lets it."""

    username: str
    """"" for an anonymous user."""
    authzid: str
    """The bare JID (for servers, the domain) that the stream acts for, canonical; "" as long as there is none."""
    mechanism: str


@record
class AuthFailed(Event):
    """An attempt failed. A server that wants to slow down guessing holds back what `take()` gives; a
    client may try other credentials by `authenticate(…)`, or close."""

    username: str | None
    """None where it went wrong before there was one."""
    condition: str
    text: str = ""
