"""The hashes of an answer to disco#info, computed as XEP-0115 §5 and XEP-0390 §4.1 say."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Callable, Iterable
from typing import Any, Final

from chirrup.core.errors import PayloadError
from chirrup.ext.disco.payloads import Info
from chirrup.ext.forms import FORM_TYPE
from chirrup.ext.forms import NS as FORMS
from chirrup.ext.forms.payloads import Form

FUNCTIONS: Final[dict[str, Callable[[bytes], Any]]] = {
    "sha-256": hashlib.sha256,
    "sha3-256": hashlib.sha3_256,
    "sha-512": hashlib.sha512,
    "sha3-512": hashlib.sha3_512,
    "blake2b-256": lambda data: hashlib.blake2b(data, digest_size=32),
    "blake2b-512": hashlib.blake2b,
    "sha-384": hashlib.sha384,
}
"""The functions of XEP-0390 that are known, by their names in XEP-0300; the first one that an entity offers is used."""

LEGACY_FUNCTIONS: Final[dict[str, Callable[[bytes], Any]]] = {"sha-1": hashlib.sha1, **FUNCTIONS}
"""The functions of XEP-0115, where SHA-1 is mandatory."""

_UNIT, _RECORD, _GROUP, _FILE = b"\x1f", b"\x1e", b"\x1d", b"\x1c"
_SOFTWARE: Final = "urn:xmpp:dataforms:softwareinfo"
_LANGUAGE: Final = re.compile(r"(?:[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*)?")


def verification_string(info: Info, function: str = "sha-1") -> str:
    """The `ver` of XEP-0115 for an answer. ValueError for one that is ill-formed, or a function that isn't known."""
    if function not in LEGACY_FUNCTIONS:
        raise ValueError(f"the hash function {function!r} isn't known")
    return _digest(LEGACY_FUNCTIONS[function], _legacy_input(info))


def capability_hash(info: Info, function: str = "sha-256") -> str:
    """The hash of XEP-0390 for an answer. ValueError for one that can't have any, or a function that isn't known."""
    if function not in FUNCTIONS:
        raise ValueError(f"the hash function {function!r} isn't known")
    return _digest(FUNCTIONS[function], _input(info))


def is_unambiguous(info: Info) -> bool:
    """Whether nobody else's answer can have the same verification string of XEP-0115 by being cut up differently.

    What is hashed there is strings with "<" between them, and "/" within identities, so that one feature can pass for
    an identity or for part of a form. Such an answer counts for its sender only."""
    strings = [feature.var for feature in info.features]
    for identity in info.identities:
        parts = (identity.category, identity.type, identity.lang or "")
        if not identity.category or not identity.type or any("/" in part for part in parts):
            return False
        if _LANGUAGE.fullmatch(identity.lang or "") is None:
            return False
        strings += [*parts, identity.name or ""]
    for form in _forms(info):
        if form.form_type != _SOFTWARE:
            return False
        strings += [text for field in form.fields for text in (field.var, *field.values)]
    return not any("<" in string for string in strings)


def _digest(function: Callable[[bytes], Any], data: bytes) -> str:
    return b64encode(function(data).digest()).decode()


def _forms(info: Info) -> list[Form]:
    """The forms that say what they are about; others don't count (XEP-0115 §5.4)."""
    forms = [Form.parse(element) for element in info.forms if (element.name, element.ns) == ("x", FORMS)]
    return [form for form in forms if form.form_type]


def _legacy_input(info: Info) -> bytes:
    identities = [
        (one.category.encode(), one.type.encode(), (one.lang or "").encode(), (one.name or "").encode())
        for one in info.identities
    ]
    features = [feature.var.encode() for feature in info.features]
    forms = sorted(_forms(info), key=lambda form: form.form_type.encode())
    _refuse_doubles("identity", identities)
    _refuse_doubles("feature", features)
    _refuse_doubles("form", [form.form_type for form in forms])
    parts = [b"/".join(identity) for identity in sorted(identities)]
    parts += sorted(features)
    for form in forms:
        types = form.values(FORM_TYPE)
        if len(set(types)) > 1:
            raise ValueError("a form has two types")
        parts.append(types[0].encode())
        for field in sorted(form.fields, key=lambda field: field.var.encode()):
            if field.var and field.var != FORM_TYPE:
                parts += [field.var.encode(), *sorted(value.encode() for value in field.values)]
    return b"".join(part + b"<" for part in parts)


def _refuse_doubles(what: str, values: Iterable[object]) -> None:
    listed = list(values)
    if len(set(listed)) < len(listed):
        raise ValueError(f"the same {what} stands there twice")


def _input(info: Info) -> bytes:
    features = b"".join(sorted(feature.var.encode() + _UNIT for feature in info.features))
    identities = b"".join(
        sorted(
            b"".join((part or "").encode() + _UNIT for part in (one.category, one.type, one.lang, one.name)) + _RECORD
            for one in info.identities
        )
    )
    extensions = b"".join(sorted(map(_extension, _strict_forms(info))))
    return features + _FILE + identities + _FILE + extensions + _FILE


def _strict_forms(info: Info) -> list[Form]:
    if any((element.name, element.ns) != ("x", FORMS) for element in info.forms):
        raise ValueError("there is more in it than identities, features and forms")
    forms = [Form.parse(element) for element in info.forms]
    for form in forms:
        if form.reported is not None or form.items:
            raise PayloadError("a form in it is a table")
        if not form.form_type:
            raise PayloadError("a form in it doesn't say what it is about")
    return forms


def _extension(form: Form) -> bytes:
    fields = [
        field.var.encode() + _UNIT + b"".join(sorted(value.encode() + _UNIT for value in field.values)) + _RECORD
        for field in form.fields
    ]
    return b"".join(sorted(fields)) + _GROUP
