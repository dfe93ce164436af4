"""Publish-subscribe (XEP-0060 version 1.30.0); at accounts as the Personal Eventing Protocol (XEP-0163 version 1.2.2).

What a service does is in `publishing`, `reading`, `subscribing` and `owning`, each working on a `Service`; `personal`
is the service that each account is, and `server` the module that answers for accounts."""

from __future__ import annotations

from typing import Final

NS: Final = "http://jabber.org/protocol/pubsub"
OWNER: Final = f"{NS}#owner"
EVENT: Final = f"{NS}#event"
ERRORS: Final = f"{NS}#errors"
NODE_CONFIG: Final = f"{NS}#node_config"
PUBLISH_OPTIONS: Final = f"{NS}#publish-options"
META_DATA: Final = f"{NS}#meta-data"
AUTHORIZATION: Final = f"{NS}#subscribe_authorization"
ADDRESSES: Final = "http://jabber.org/protocol/address"
"""Extended stanza addressing (XEP-0033), for "replyto"."""
NOTIFY: Final = "+notify"
"""What a client appends to the name of a node that it wants to hear of, as a feature (XEP-0060 §9.2)."""
