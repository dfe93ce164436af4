"""What log-in wants of the module that keeps clients' tokens (XEP-0484)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from chirrup.core.features import Token, UserAgent
    from chirrup.core.features.fast import TokenUse
    from chirrup.core.jid import JID
    from chirrup.core.sasl import KnownToken


class Tokens(Protocol):
    """The tokens of a host's accounts; `Host.tokens`."""

    async def known(self, account: JID, client: str, mechanism: str) -> list[KnownToken]:
        """The tokens that a client may have for a mechanism."""

    async def use(self, account: JID, agent: UserAgent, use: TokenUse, wanted: str) -> Token | None:
        """A client has logged in with a token: the new one that it is given, if any. Durable when this returns. Raises
        SASLError where it must not be let in after all."""

    async def give(self, account: JID, agent: UserAgent, mechanism: str) -> Token:
        """A token for a client that has logged in otherwise. Durable when this returns."""
