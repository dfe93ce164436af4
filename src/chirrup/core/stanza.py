"""Stanzas and errors as XML: replies, stanza errors (RFC 6120 §8.3) and stream errors (§4.9), both ways."""

from __future__ import annotations

from typing import Final, cast

from chirrup.core.errors import (
    SASL_CONDITIONS,
    STANZA_CONDITIONS,
    STREAM_CONDITIONS,
    SASLError,
    StanzaError,
    StanzaErrorType,
    StreamError,
)
from chirrup.core.xml import CLIENT, STREAMS, XML_LANG, Element

STANZAS: Final = "urn:ietf:params:xml:ns:xmpp-stanzas"
STREAM_ERRORS: Final = "urn:ietf:params:xml:ns:xmpp-streams"
SASL: Final = "urn:ietf:params:xml:ns:xmpp-sasl"

KINDS: Final = frozenset({"message", "presence", "iq"})
MESSAGE_TYPES: Final = frozenset({"chat", "error", "groupchat", "headline", "normal"})
PRESENCE_TYPES: Final = frozenset(
    {"error", "probe", "subscribe", "subscribed", "unavailable", "unsubscribe", "unsubscribed"}
)
SUBSCRIPTION_TYPES: Final = frozenset({"subscribe", "subscribed", "unsubscribe", "unsubscribed"})
"""Those of presence that ask for a subscription, or grant, end or refuse one."""
IQ_TYPES: Final = frozenset({"get", "set", "result", "error"})


def is_stanza(element: Element) -> bool:
    """Whether a first-level element is a message, presence or IQ of the stream's content namespace."""
    return element.ns == CLIENT and element.name in KINDS


# -- replies


def reply(stanza: Element, kind: str, *payload: Element | None) -> Element:
    """An answer to `stanza` of type `kind`: addresses swapped, `id` kept."""
    answer = Element(stanza.name, CLIENT, *payload)
    attrs = stanza.attrs
    if "from" in attrs:
        answer.attrs["to"] = attrs["from"]
    if "to" in attrs:
        answer.attrs["from"] = attrs["to"]
    if "id" in attrs:
        answer.attrs["id"] = attrs["id"]
    elif stanza.name == "iq":
        answer.attrs["id"] = ""  # RFC 6120 §8.3.1: empty where the request had none
    answer.attrs["type"] = kind
    return answer


def result(iq: Element, payload: Element | None = None) -> Element:
    """The result of an IQ get or set (RFC 6120 §8.2.3)."""
    return reply(iq, "result", payload)


def error_reply(stanza: Element, error: StanzaError) -> Element:
    """The error stanza that answers `stanza`. The original payload isn't repeated."""
    return reply(stanza, "error", write_error(error))


def may_bounce(stanza: Element) -> bool:
    """Whether an error may answer this stanza: never an error or a result (RFC 6120 §8.3.1)."""
    return stanza.attrs.get("type") not in ("error", "result")


# -- stanza errors


def write_error(error: StanzaError) -> Element:
    element = Element("error", CLIENT, type=error.type, by=error.by or None, code=error.code)
    element.append(Element(error.condition, STANZAS, error.detail or None))
    if error.text:
        element.append(Element("text", STANZAS, error.text).set(XML_LANG, "en"))
    if error.app:
        element.append(_app(error))
    return element


def read_error(stanza: Element) -> StanzaError:
    """The error that a stanza of type "error" carries; `undefined-condition` where it carries none we know."""
    element = stanza.child("error", CLIENT)
    if element is None:
        return StanzaError("undefined-condition", "an error stanza without <error/>")
    condition, detail, text, app = _read_condition(element, STANZAS, STANZA_CONDITIONS)
    kind = element.get("type")
    known = kind if kind in ("auth", "cancel", "continue", "modify", "wait") else None
    return StanzaError(
        condition or "undefined-condition",
        text,
        type=cast("StanzaErrorType | None", known),
        by=element.get("by"),
        detail=detail,
        app=app,
        app_attributes=_app_attributes(element, STANZAS),
    )


# -- stream errors


def write_stream_error(error: StreamError) -> Element:
    element = Element("error", STREAMS)
    element.append(Element(error.condition, STREAM_ERRORS, error.detail or None))
    if error.text:
        element.append(Element("text", STREAM_ERRORS, error.text).set(XML_LANG, "en"))
    if error.app:
        element.append(_app(error))
    return element


def read_stream_error(element: Element) -> StreamError:
    condition, detail, text, app = _read_condition(element, STREAM_ERRORS, STREAM_CONDITIONS)
    attributes = _app_attributes(element, STREAM_ERRORS)
    return StreamError(condition or "undefined-condition", text, detail=detail, app=app, app_attributes=attributes)


# -- SASL failures


def write_failure(error: SASLError) -> Element:
    element = Element("failure", SASL, Element(error.condition, SASL))
    if error.text:
        element.append(Element("text", SASL, error.text).set(XML_LANG, "en"))
    return element


def read_failure(element: Element) -> SASLError:
    condition, _, text, _ = _read_condition(element, SASL, SASL_CONDITIONS)
    return SASLError(condition or "not-authorized", text)


def _app(error: StanzaError | StreamError) -> Element:
    ns, _, name = error.app.removeprefix("{").rpartition("}")
    element = Element(name, ns)
    element.attrs.update(error.app_attributes)
    return element


def _app_attributes(element: Element, ns: str) -> dict[str, str] | None:
    """The attributes of the application's own condition, which is the first one in another namespace."""
    return next((child.attrs for child in element.elements() if child.ns != ns), None)


def _read_condition(
    element: Element, ns: str, known: frozenset[str] | dict[str, StanzaErrorType]
) -> tuple[str, str, str, str]:
    """Condition, its character data, text and the application's own condition of an error element."""
    condition = detail = text = app = ""
    for child in element.elements():
        if child.ns != ns:
            app = app or f"{{{child.ns}}}{child.name}"
        elif child.name == "text":
            text = text or child.text
        elif child.name in known and not condition:
            condition, detail = child.name, child.text
    return condition, detail, text, app
