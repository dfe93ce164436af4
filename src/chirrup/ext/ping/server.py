"""Pings at the server."""

from __future__ import annotations

from chirrup.ext.ping import NS
from chirrup.ext.ping.payloads import Ping
from chirrup.server.module import Addressee, Module, Request, Xep, iq_get


class Pings(Module):
    """Answers pings."""

    xeps = (Xep(199, "2.0.1"),)
    features = (NS,)
    account_features = (NS,)

    @iq_get(Ping, to=(Addressee.HOST, Addressee.OWN))
    def pong(self, request: Request[Ping]) -> None:
        """Anybody may ping the host. An account answers only its owner, so that a ping tells nobody that it exists."""
