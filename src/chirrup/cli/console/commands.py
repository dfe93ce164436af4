"""What can be typed instead of XML: `/ping JID` and the like. Each makes a stanza."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from difflib import get_close_matches
from typing import Final

from chirrup.cli.console.checking import Mistake
from chirrup.core.errors import AddressError
from chirrup.core.jid import JID
from chirrup.core.payload import Payload
from chirrup.core.xml import CLIENT, Element
from chirrup.ext.disco.payloads import Info, Items
from chirrup.ext.last_activity.payloads import LastActivity
from chirrup.ext.ping.payloads import Ping
from chirrup.ext.roster.payloads import Query as Roster
from chirrup.ext.time.payloads import Time
from chirrup.ext.version.payloads import Version

LOCAL: Final = {
    "help": ("", "Show this."),
    "raw": ("", "Show stanzas in one line as they are written, or indented again."),
    "quit": ("", "Leave. So does Ctrl-D."),
}
"""What the console does itself: arguments, and what it is for."""


def _request(payload: Payload, to: str | None = None) -> Element:
    return Element("iq", CLIENT, payload.to_element(), type="get", to=None if to is None else JID(to))


def ping(jid: str) -> Element:
    """Ask whether somebody is there (XEP-0199)."""
    return _request(Ping(), jid)


def disco(jid: str, node: str = "") -> Element:
    """Ask what an entity is and can do (XEP-0030)."""
    return _request(Info(node or None), jid)


def items(jid: str, node: str = "") -> Element:
    """Ask what belongs to an entity (XEP-0030)."""
    return _request(Items(node or None), jid)


def version(jid: str) -> Element:
    """Ask for the program and its version (XEP-0092)."""
    return _request(Version(), jid)


def time(jid: str) -> Element:
    """Ask what time it is there (XEP-0202)."""
    return _request(Time(), jid)


def last(jid: str) -> Element:
    """Ask since when somebody is away, or a server runs (XEP-0012)."""
    return _request(LastActivity(), jid)


def roster() -> Element:
    """Ask for the own roster."""
    return _request(Roster())


def message(jid: str, *text: str) -> Element:
    """Say something."""
    return Element("message", CLIENT, Element("body", CLIENT, " ".join(text)), type="chat", to=JID(jid))


def presence(show: str = "", *status: str) -> Element:
    """Become available, perhaps as away, chat, dnd or xa, with a status; or unavailable."""
    if show == "unavailable":
        return Element("presence", CLIENT, type=show)
    stanza = Element("presence", CLIENT)
    if show:
        stanza.append(Element("show", CLIENT, show))
    if status:
        stanza.append(Element("status", CLIENT, " ".join(status)))
    return stanza


def subscribe(jid: str) -> Element:
    """Ask to see somebody's presence."""
    return Element("presence", CLIENT, type="subscribe", to=JID(jid).bare)


TEMPLATES: Final[dict[str, Callable[..., Element]]] = {
    made.__name__: made for made in (ping, disco, items, version, time, last, roster, message, presence, subscribe)
}
"""The commands that make stanzas, by name."""
NAMES: Final = tuple(sorted([*LOCAL, *TEMPLATES]))


def usage(name: str) -> str:
    """How a command is written."""
    if name in LOCAL:
        return f"/{name}"
    words = [f"/{name}"]
    for parameter in inspect.signature(TEMPLATES[name]).parameters.values():
        word = parameter.name.upper()
        if parameter.kind is parameter.VAR_POSITIONAL:
            word += "…"
        words.append(word if parameter.default is parameter.empty and "…" not in word else f"[{word}]")
    return " ".join(words)


def purpose(name: str) -> str:
    return LOCAL[name][1] if name in LOCAL else (inspect.getdoc(TEMPLATES[name]) or "").split("\n")[0]


def name_of(line: str) -> str:
    """The command that a line beginning with "/" calls. Raises Mistake for one that doesn't exist."""
    name = line.split(maxsplit=1)[0][1:]
    if name not in NAMES:
        near = get_close_matches(name, NAMES, 1)
        hint = f"did you mean /{near[0]}?" if near else "/help lists them"
        raise Mistake(f"there is no command /{name}; {hint}")
    return name


def make(line: str) -> Element:
    """The stanza of a template with its arguments. Raises Mistake."""
    name, words = name_of(line), line.split()[1:]
    template = TEMPLATES[name]
    try:
        inspect.signature(template).bind(*words)
    except TypeError:
        raise Mistake(f"this is written {usage(name)}", column=len(line) + 1) from None
    try:
        return template(*words)
    except AddressError as error:
        raise Mistake(str(error), column=line.index(words[0], len(name) + 1) + 1) from None
