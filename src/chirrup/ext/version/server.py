"""The server's version."""

from __future__ import annotations

import platform
from collections.abc import Sequence

from chirrup.core.errors import StanzaError
from chirrup.ext.version import NS
from chirrup.ext.version.payloads import Version
from chirrup.server.module import Module, Request, Settings, Xep, iq_get


class VersionSettings(Settings):
    """What strangers may know of the software."""

    hidden: bool = False
    """Tell nobody which software and version this is."""
    hide_os: bool = True
    """Tell nobody which operating system it runs on."""


class SoftwareVersion(Module):
    """Tells which software the server is."""

    xeps = (Xep(92, "1.1"),)
    features: Sequence[str] = (NS,)
    Settings = VersionSettings
    settings: VersionSettings

    async def start(self) -> None:
        if self.settings.hidden:
            self.features = ()

    @iq_get(Version)
    def tell(self, request: Request[Version]) -> Version:
        """Anybody may ask."""
        if self.settings.hidden:
            raise StanzaError("service-unavailable")
        os = None if self.settings.hide_os else f"{platform.system()} {platform.release()}"
        return Version("Chirrup", self.host.server.version, os)
