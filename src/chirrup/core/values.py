"""How a field's value is written in XML and in JSON: one `Codec` for each type that a payload may declare.

Text from a peer is read by the lexical rules of XML Schema, not by those of Python's constructors, which take
digits of all scripts, underscores and "nan".
"""

from __future__ import annotations

import math
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, Final, Literal, TypeAlias, get_args, get_origin

from chirrup.core.errors import LocalProtocolError, StreamError
from chirrup.core.jid import JID
from chirrup.core.parser import Limits, StreamParser
from chirrup.core.record import record
from chirrup.core.xml import Element, escape_text

Json: TypeAlias = bool | int | float | str | list["Json"] | dict[str, "Json"] | None
"""What `json.dumps` takes and `json.loads` gives."""

_WHITE: Final = " \t\r\n"


@record
class Codec:
    """Text and JSON of one type. `decode` and `from_json` raise ValueError with a message that says what is wrong."""

    decode: Callable[[str], Any]
    encode: Callable[[Any], str]
    to_json: Callable[[Any], Json]
    from_json: Callable[[Json], Any]


def codec_for(annotation: Any) -> Codec:
    """The codec of str, int, float, bool, bytes (base64), datetime (XEP-0082), JID, a Literal of strings or an Enum.

    Raises TypeError for any other type.
    """
    if annotation in _CODECS:
        return _CODECS[annotation]
    if get_origin(annotation) is Literal and all(isinstance(value, str) for value in get_args(annotation)):
        return _choice({value: value for value in get_args(annotation)}, str)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return _choice({str(member.value): member for member in annotation}, lambda member: str(member.value))
    raise TypeError(f"{annotation!r} is no type of value that a payload can have")


# -- date and time


_DATE_TIME: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]):([0-5][0-9]|60)(?:\.([0-9]+))?"
    r"(Z|[+-](?:0[0-9]|1[0-4]):[0-5][0-9])"
)


def parse_datetime(text: str) -> datetime:
    """The moment, in UTC, that a text of XEP-0082's DateTime profile names.

    Digits beyond microseconds are dropped; a leap second is the one after it. Raises ValueError.
    """
    match = _DATE_TIME.fullmatch(text.strip(_WHITE))
    if match is None:
        raise ValueError(f"{_shown(text)} is no date and time such as 2026-01-31T12:00:00Z")
    minute, seconds, fraction, zone = match.groups()
    try:
        moment = datetime.fromisoformat(minute + ("+00:00" if zone == "Z" else zone)).astimezone(UTC)
        return moment + timedelta(seconds=int(seconds), microseconds=int((fraction or "0")[:6].ljust(6, "0")))
    except (ValueError, OverflowError):
        raise ValueError(f"{_shown(text)} is no date of the calendar") from None


def format_datetime(moment: datetime) -> str:
    """The moment as XEP-0082 writes it, in UTC, with microseconds if it has any. Raises ValueError without a zone."""
    if moment.tzinfo is None:
        raise ValueError("a date and time without a time zone names no moment")
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


# -- the other types


_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,40}")
_DECIMAL: Final = re.compile(r"[+-]?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][+-]?[0-9]{1,3})?")
_TRUTH: Final = {"true": True, "1": True, "false": False, "0": False}


def _integer(text: str) -> int:
    if _INTEGER.fullmatch(text := text.strip(_WHITE)) is None:
        raise ValueError(f"{_shown(text)} is no integer")
    return int(text)


def _decimal(text: str) -> float:
    if _DECIMAL.fullmatch(text := text.strip(_WHITE)) is None or math.isinf(value := float(text)):
        raise ValueError(f"{_shown(text)} is no finite number")
    return value


def _write_decimal(value: float) -> str:
    if not math.isfinite(value):
        raise ValueError(f"{value} can't be sent: only finite numbers can")
    return str(value)


def _boolean(text: str) -> bool:
    value = _TRUTH.get(text.strip(_WHITE))
    if value is None:
        raise ValueError(f"{_shown(text)} is neither true nor false")
    return value


def _base64(text: str) -> bytes:
    """White space may stand anywhere in it (XML Schema part 2, §3.2.16)."""
    try:
        return b64decode("".join(text.split()), validate=True)
    except ValueError:
        raise ValueError(f"{_shown(text)} is no base64") from None


def _choice(values: Mapping[str, Any], encode: Callable[[Any], str]) -> Codec:
    def decode(text: str) -> Any:
        try:
            return values[text]
        except KeyError:
            raise ValueError(f"{_shown(text)} is none of {', '.join(values)}") from None

    return _as_text(decode, encode)


def parse_element(text: str) -> Element:
    """The element that a text is, as `str(element)` wrote it: with its namespace declared. Raises ValueError."""
    parser = StreamParser(Limits())
    try:
        parser.feed(b"<fragment>")
        elements = parser.feed(text.encode())
    except StreamError as error:
        raise ValueError(f"{_shown(text)} is no XML: {error.text}") from None
    if len(elements) != 1 or parser.ended or not parser.idle:
        raise ValueError(f"{_shown(text)} is not one whole element")
    return elements[0]


def _as_text(decode: Callable[[str], Any], encode: Callable[[Any], str]) -> Codec:
    """A type that JSON has no counterpart for, and that is written there as it is in XML."""

    def from_json(value: Json) -> Any:
        return decode(_text(value))

    return Codec(decode, encode, encode, from_json)


def _text(value: Json) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{_shown(value)} is no string")
    try:
        escape_text(value)
    except LocalProtocolError as error:
        raise ValueError(str(error)) from None
    return value


def _itself(value: Any) -> Any:
    return value


def _json_integer(value: Json) -> int:
    if type(value) is not int:  # True is one of Python's integers, but none of JSON's
        raise ValueError(f"{_shown(value)} is no integer")
    return value


def _json_decimal(value: Json) -> float:
    if type(value) is int or (type(value) is float and math.isfinite(value)):
        return float(value)
    raise ValueError(f"{_shown(value)} is no finite number")


def _json_boolean(value: Json) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{_shown(value)} is neither true nor false")
    return value


def _shown(value: object) -> str:
    """A peer's value as an error message shows it: quoted, and not at any length."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


_CODECS: Final[dict[Any, Codec]] = {
    str: Codec(_itself, _itself, _itself, _text),
    int: Codec(_integer, str, _itself, _json_integer),
    float: Codec(_decimal, _write_decimal, _itself, _json_decimal),
    bool: Codec(_boolean, lambda value: "true" if value else "false", _itself, _json_boolean),
    bytes: _as_text(_base64, lambda value: b64encode(value).decode()),
    datetime: _as_text(parse_datetime, format_datetime),
    JID: _as_text(JID.parse, str),
}

ELEMENT: Final = _as_text(parse_element, str)
"""Any element, as the text that it is in XML."""
