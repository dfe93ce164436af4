"""What a host offers to everybody who opens a stream, kept for as long as it stays the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chirrup.core.features.resume.elements import feature as sm_feature
from chirrup.core.parser import Limits
from chirrup.core.stream import HostPolicy
from chirrup.server.auth import ALGORITHMS

if TYPE_CHECKING:
    from chirrup.core.xml import Element
    from chirrup.server import config
    from chirrup.server.host import Host

_RestsOn = tuple["config.Limits", tuple["Element", ...], tuple["Element", ...]]


class Offers:
    """The policies of one host. Streams under the same one share what is written of it, so that it is made anew only
    where something that it rests on has changed: what modules offer, or the limits. All else is set when a host has
    started."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._kept: dict[tuple[bool, bool, bool], tuple[_RestsOn, HostPolicy]] = {}

    def policy(self, *, secure: bool, plaintext: bool, logged_in: bool) -> HostPolicy:
        """`secure` says whether there is TLS, `plaintext` whether there may be none."""
        host = self._host
        before = () if logged_in else host.stream_features(logged_in=False, secure=secure)
        rests_on = host.server.config.limits, before, host.stream_features(logged_in=True, secure=secure)
        kept = self._kept.get((secure, plaintext, logged_in))
        if kept is None or kept[0] != rests_on:
            made = self._make(rests_on, secure=secure, plaintext=plaintext)
            kept = self._kept[secure, plaintext, logged_in] = rests_on, made
        return kept[1]

    def _make(self, rests_on: _RestsOn, *, secure: bool, plaintext: bool) -> HostPolicy:
        host, (limits, before, after) = self._host, rests_on
        return HostPolicy(
            domain=host.jid.domain,
            mechanisms=host.mechanisms,
            tls=not secure,
            tls_required=not plaintext,
            limits=Limits(stanza_bytes=limits.stanza_bytes),
            features_before=before,
            features_after=after,
            early_iqs=host.iq.early_namespaces,
            auth_retries=limits.log_in_attempts - 1,
            sasl2=True,
            bind_inline=tuple(dict.fromkeys(ns for _, ns in host.bind_inline)),
            inline=(sm_feature(),) if limits.resumption_seconds and not host.anonymous else (),
            tokens=host.tokens is not None,
            upgrades=tuple(name for name in ALGORITHMS if f"SCRAM-{name}" in host.mechanisms),
        )
