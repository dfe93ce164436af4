"""Whom a bot talks to, and who may do what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from chirrup.core.errors import AddressError, ConfigError
from chirrup.core.jid import JID

EVERYBODY = "*"


class Access:
    """An allow list, and roles. Entries are bare JIDs, domains, or "*"."""

    def __init__(self, allow: Iterable[str], roles: Mapping[str, Iterable[str]]) -> None:
        """Raises ConfigError for an entry that is no address."""
        self._allow = _entries(allow)
        self._roles = {role: _entries(entries) for role, entries in roles.items()}

    def allowed(self, jid: JID) -> bool:
        """Whether the bot talks to them. Whoever has a role is talked to, too."""
        return _has(self._allow, jid) or any(_has(entries, jid) for entries in self._roles.values())

    def may(self, jid: JID, role: str) -> bool:
        """Whether somebody has a role; everybody has the role ""."""
        return not role or _has(self._roles.get(role, frozenset()), jid)


def _entries(entries: Iterable[str]) -> frozenset[str]:
    found = set()
    for entry in entries:
        try:
            found.add(EVERYBODY if entry == EVERYBODY else JID(entry).bare.text)
        except AddressError as error:
            raise ConfigError(f'{entry!r} should be an address, a domain or "*": {error}') from None
    return frozenset(found)


def _has(entries: frozenset[str], jid: JID) -> bool:
    return EVERYBODY in entries or jid.bare.text in entries or jid.domain in entries
