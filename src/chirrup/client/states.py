"""Where a connection stands, as programs see it."""

from __future__ import annotations

import enum

from chirrup.core.record import record


class ConnectionState(enum.Enum):
    """Where a client or component stands."""

    OFFLINE = "offline"
    """Not connected, and nobody tries to."""
    RESOLVING = "resolving"
    """The domain's servers are looked up."""
    CONNECTING = "connecting"
    """TCP, and TLS where it comes first."""
    NEGOTIATING = "negotiating"
    """The stream is negotiated: TLS, authentication, resource binding."""
    STARTING = "starting"
    """The stream stands; features prepare the session."""
    ONLINE = "online"
    WAITING = "waiting"
    """The connection was lost or couldn't be made; another attempt follows."""


@record
class StateChange:
    """A state, and what there is to say of it."""

    state: ConnectionState
    reason: Exception | None = None
    """What went wrong, for OFFLINE (None if the program closed it) and WAITING."""
    retry_in: float | None = None
    """Seconds until the next attempt, for WAITING."""
    resumed: bool = False
    """For ONLINE: the session is the same as before (XEP-0198)."""
