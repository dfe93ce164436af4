"""vCards of version 4 at the server, where they are items like others."""

from __future__ import annotations

from chirrup.ext.pubsub.server import PersonalEventing
from chirrup.ext.vcard4 import CONTACTS, NS
from chirrup.server.module import Module, Xep


class VCards4(Module):
    """Keeps vCards that accounts have of their contacts private from the start, and tells that there can be vCards of
    version 4."""

    needs = ("pubsub",)
    xeps = (Xep(292, "0.12.0", "kept apart from vCards of XEP-0054"),)
    account_features = (NS,)
    needs_accounts = True

    async def start(self) -> None:
        private = {"access_model": "whitelist", "send_last_published_item": "never"}
        self.need(PersonalEventing).set_default(CONTACTS, max_items=None, **private)
