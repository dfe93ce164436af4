"""The block list and its changes (XEP-0191 §3), with reports in them (XEP-0377 §4)."""

from __future__ import annotations

from chirrup.core.jid import JID
from chirrup.core.payload import Payload, attribute, child, children, flag, payload, rest, text
from chirrup.core.xml import XML_LANG, Element
from chirrup.ext.blocking import NS, REPORTING


@payload("text", REPORTING)
class Text(Payload):
    """What a user says about a report."""

    text: str = text()
    lang: str = attribute(XML_LANG, default="")


@payload("report", REPORTING)
class Report(Payload):
    """Why an address is blocked, for those who run the server."""

    reason: str = attribute(default="")
    """A URN: `SPAM`, `ABUSE`, or one that another specification defines. A report without one is none, but what is
    blocked along with it is (§6)."""
    texts: tuple[Text, ...] = children(Text)
    report_origin: bool = flag("report-origin")
    """Whether the report may be passed to the server that the messages came from."""
    third_party: bool = flag("third-party")
    """Whether the report may be passed to others who gather reports."""
    evidence: tuple[Element, ...] = rest()
    """Copies of the `<stanza-id/>` of messages that are reported (XEP-0359), as far as the archive has them."""


@payload("item", NS)
class Item(Payload):
    """An address: a full or bare JID, a domain with everybody there, or a domain's resource (XEP-0191 §6)."""

    jid: JID = attribute()
    report: Report | None = child(Report, default=None)


@payload("blocklist", NS)
class BlockList(Payload):
    """All that is blocked; empty in the request for it."""

    items: tuple[Item, ...] = children(Item)


@payload("block", NS)
class Block(Payload):
    """Addresses to block, or in a push those that have been; there is at least one."""

    items: tuple[Item, ...] = children(Item)


@payload("unblock", NS)
class Unblock(Payload):
    """Addresses to unblock, or in a push those that have been; none stands for all."""

    items: tuple[Item, ...] = children(Item)
