"""JIDs, the addresses of XMPP: `local@domain/resource` (RFC 7622).

A `JID` is made of a text by `JID.parse`, which every stanza's `to` and `from` go through; parsed texts are cached,
so that a known one costs a look-up. Preparation is what makes two spellings of an address equal:

- localpart: the UsernameCaseMapped profile of PRECIS (RFC 8265 §3.3), then the eight characters of RFC 7622 §3.3.1
  are refused;
- domainpart: a host name with U-labels (IDNA2008, after the mapping of RFC 5895), an IPv4 address, or an IPv6
  address in brackets;
- resourcepart: the OpaqueString profile of PRECIS (RFC 8265 §4.2).

Parts in ASCII, which are nearly all, never reach the PRECIS and IDNA libraries; these are imported at first need.

`escape_local` and `unescape_local` are JID Escaping (XEP-0106), for what people type and see.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import total_ordering
from itertools import islice
from typing import ClassVar, Final, Never, final

from chirrup.core import precis
from chirrup.core.errors import AddressError

XEPS: Final = ((106, "1.1.1", "in the library; the server passes on what clients have escaped"),)

MAX_PART_OCTETS: Final = 1023
"""How long a part may be in UTF-8, after preparation (RFC 7622 §3.1)."""

MAX_HOST_NAME_OCTETS: Final = 253
"""How long a host name may be in the DNS, its U-labels counted as A-labels (RFC 1034 §3.1, RFC 7622 §3.2)."""

CACHE_ENTRIES: Final = 32_768
"""How many texts the cache of `JID.parse` holds; when it is full the older half goes."""

CACHED_TEXT_LENGTH: Final = 256
"""Texts of more characters than this are parsed each time, which bounds the cache in bytes too."""

_MAX_RAW_LENGTH: Final = 2 * MAX_PART_OCTETS
"""Preparation joins at most three characters to one of two octets, so a longer text can't become a valid part."""

_MAX_LABEL: Final = 63
"""Octets of a label in the DNS (RFC 1034 §3.1), which are no fewer than its characters."""

_ECHOED: Final = 60

_PLAIN_LOCAL: Final = re.compile(r"[!#-%(-.0-9;=?A-Z\[-~]{1,1023}")
_EXCLUDED_FROM_LOCAL: Final = re.compile("[\"&'/:<>@]")
_LDH: Final = r"(?![^.]{2}--)(?!-)[a-z0-9_-]{1,63}(?<!-)"
_LDH_LABEL: Final = re.compile(_LDH)
_HOST_NAME: Final = re.compile(rf"{_LDH}(?:\.{_LDH})*")
_IP_LITERAL: Final = re.compile(r"\[([0-9A-Fa-f:.]{2,45})(%25[A-Za-z0-9._~-]{1,64})?\]")
_OTHER_DOTS: Final = str.maketrans("\u3002\uff0e\uff61", "...")


class _Parsed(dict[str, "JID"]):
    """The JIDs of the texts seen lately, as they were written and in canonical form; parses what it lacks."""

    def __missing__(self, text: str) -> JID:
        jid = _parse(text)
        known = self.get(jid.text)
        if known is None:
            self._remember(jid.text, jid)
        else:
            jid = known
        if text != jid.text:
            self._remember(text, jid)
        return jid

    def _remember(self, text: str, jid: JID) -> None:
        if len(text) > CACHED_TEXT_LENGTH:
            return
        if len(self) >= CACHE_ENTRIES:
            for old in list(islice(self, CACHE_ENTRIES // 2)):
                self.pop(old, None)
        self[text] = jid


_parsed: Final = _Parsed()


@final
@total_ordering
class JID:
    """An address, prepared and immutable. `JID(text)` is `JID.parse(text)`.

    Equal, hashed and ordered by its canonical text; never equal to a string.
    """

    __slots__ = ("_hash", "bare", "domain", "host", "is_bare", "is_full", "local", "resource", "text")

    local: str
    """The localpart, "" when absent."""
    domain: str
    """The domainpart: labels as U-labels in lower case, IPv6 addresses compressed and in brackets."""
    resource: str
    """The resourcepart, "" when absent."""
    text: str
    """The canonical text, what `str()` gives."""
    bare: JID
    """This address without its resource; the JID itself if it has none."""
    host: JID
    """The domain alone; the JID itself if it is that."""
    is_bare: bool
    is_full: bool
    """Whether there is a resource, with or without a localpart."""
    _hash: int

    parse: ClassVar[Callable[[str], JID]] = _parsed.__getitem__
    """The JID that a text is; `AddressError` if it is none. A C method of the cache, because a call of a Python
    function would be most of what a hit costs."""

    def __new__(cls, text: str) -> JID:
        return _parsed[text]

    @classmethod
    def of(cls, local: str, domain: str, resource: str = "") -> JID:
        """The JID of parts, each prepared here; an empty localpart or resource is an absent one.

        Raises `AddressError` for the part that is wrong, also when it has a separator of JIDs in it.
        """
        if local:
            if "/" in local or "@" in local:
                raise _fault("localpart", local, 'has "/" or "@" in it')
            local += "@"
        if "/" in domain or "@" in domain:
            raise _fault("domainpart", domain, 'has "/" or "@" in it')
        return _parsed[f"{local}{domain}/{resource}" if resource else local + domain]

    def with_resource(self, resource: str) -> JID:
        """This address with that resource, which is prepared here. Raises `AddressError`, also when it is empty."""
        return _parsed[f"{self.bare.text}/{resource}"]

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"JID({self.text!r})"

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return self.text == other.text if isinstance(other, JID) else NotImplemented

    def __lt__(self, other: object) -> bool:
        return self.text < other.text if isinstance(other, JID) else NotImplemented

    def __setattr__(self, name: str, value: object) -> Never:
        raise AttributeError(f"a JID is immutable: {name} can't be set")

    def __delattr__(self, name: str) -> Never:
        raise AttributeError(f"a JID is immutable: {name} can't be deleted")

    def __reduce__(self) -> tuple[type[JID], tuple[str]]:
        return JID, (self.text,)


def _make(local: str, domain: str, resource: str, text: str, bare: JID | None, host: JID | None) -> JID:
    """A JID of prepared parts; without `bare` or `host` it is its own."""
    jid = object.__new__(JID)
    put = object.__setattr__
    put(jid, "local", local)
    put(jid, "domain", domain)
    put(jid, "resource", resource)
    put(jid, "text", text)
    put(jid, "bare", bare or jid)
    put(jid, "host", host or jid)
    put(jid, "is_bare", not resource)
    put(jid, "is_full", bool(resource))
    put(jid, "_hash", hash(text))
    return jid


def _parse(text: str) -> JID:
    """Split at the first "/", then at the first "@" before it (RFC 7622 §3.2), and prepare the parts.

    The bare JID and the host come from the cache, so that all resources of an account share them.
    """
    address, slash, resource = text.partition("/")
    if slash:
        bare = _parsed[address]
        resource = _prepare_resource(resource)
        return _make(bare.local, bare.domain, resource, f"{bare.text}/{resource}", bare, bare.host)
    local, at, domain = address.partition("@")
    if not at:
        domain = _prepare_domain(address)
        return _make("", domain, "", domain, None, None)
    if "@" in domain:
        raise _fault("domainpart", domain, 'has "@" in it')
    local = _prepare_local(local)
    host = _parsed[domain]
    return _make(local, host.domain, "", f"{local}@{host.text}", None, host)


def _prepare_local(text: str) -> str:
    if _PLAIN_LOCAL.fullmatch(text):
        return text.lower()
    prepared = _enforce("UsernameCaseMapped", "localpart", text)
    excluded = _EXCLUDED_FROM_LOCAL.search(prepared)
    if excluded:
        raise _fault("localpart", text, f"has {excluded[0]} in it, which RFC 7622 excludes")
    return prepared


def _prepare_resource(text: str) -> str:
    if text.isascii() and text.isprintable() and 0 < len(text) <= MAX_PART_OCTETS:
        return text
    return _enforce("OpaqueString", "resourcepart", text)


def _prepare_domain(text: str) -> str:
    name = text.translate(_OTHER_DOTS).removesuffix(".")
    lowered = name.lower()
    if len(lowered) <= MAX_HOST_NAME_OCTETS and _HOST_NAME.fullmatch(lowered):
        return lowered
    if not name:
        raise _fault("domainpart", text, "is empty")
    if len(name) > MAX_PART_OCTETS:
        raise _fault("domainpart", text, "is too long")
    if name.startswith("["):
        return _prepare_ip_literal(name)
    labels, octets = [], -1
    for raw in name.split("."):
        label, in_dns = _prepare_label(raw)
        labels.append(label)
        octets += len(in_dns) + 1
        if octets > MAX_HOST_NAME_OCTETS:
            raise _fault("domainpart", text, f"is longer than the {MAX_HOST_NAME_OCTETS} octets of a host name")
    return ".".join(labels)


def _prepare_label(label: str) -> tuple[str, str]:
    """The label in canonical form (NR-LDH or U-label), and as it is in the DNS (NR-LDH or A-label)."""
    try:
        return _convert_label(label)
    except (ValueError, LookupError) as error:
        raise _fault("domainpart", label, "is no label of a host name (RFC 5890)") from error


def _convert_label(label: str) -> tuple[str, str]:
    """`_prepare_label` with the errors of the IDNA library, all of them `UnicodeError` but for its slips.

    A label is mapped only if it isn't a U-label as it stands: a few letters that are valid (Cherokee) have a
    lower case that is not.
    """
    import idna

    label = unicodedata.normalize("NFC", label)
    if not label.isascii():
        try:
            return label, _a_label(label)
        except (ValueError, LookupError):
            label = unicodedata.normalize("NFC", "".join(map(_fold, label)))
    label = label.lower() if label.isascii() else label
    if _LDH_LABEL.fullmatch(label):
        return label, label
    if label.startswith("xn--"):
        if len(label) > _MAX_LABEL:
            raise ValueError("a label is too long")
        u_label = idna.ulabel(label)
        if u_label.isascii() or _a_label(u_label) != label:
            raise ValueError("not the A-label of its U-label")
        return u_label, label
    return label, _a_label(label)


def _a_label(label: str) -> str:
    """Its length is looked at first: checking takes time that grows with the square of it."""
    import idna

    if len(label) > _MAX_LABEL:
        raise ValueError("a label is too long")
    return idna.alabel(label).decode()


def _fold(character: str) -> str:
    """A character without its width and upper case (RFC 5895 §2). One by one, so that a sigma that ends a word
    isn't mapped otherwise than the rest."""
    kind, _, code = unicodedata.decomposition(character).partition("> ")
    if kind in ("<wide", "<narrow"):
        character = chr(int(code, 16))
    return character.lower()


def _prepare_ip_literal(text: str) -> str:
    """An IPv6 address in brackets, with its zone if it has one (RFC 6874), as RFC 5952 writes it."""
    from ipaddress import IPv6Address

    match = _IP_LITERAL.fullmatch(text)
    if not match:
        raise _fault("domainpart", text, "is no IPv6 address in brackets")
    try:
        address = IPv6Address(match[1])
    except ValueError as error:
        raise _fault("domainpart", text, "is no IPv6 address in brackets") from error
    mapped = address.ipv4_mapped
    canonical = address.compressed if mapped is None else f"::ffff:{mapped}"
    return f"[{canonical}{match[2] or ''}]"


def _enforce(profile: str, part: str, text: str) -> str:
    """Apply a PRECIS profile and the limits of length, or raise `AddressError`."""
    if not text:
        raise _fault(part, text, "is empty")
    if len(text) > _MAX_RAW_LENGTH:
        raise _fault(part, text, f"is longer than {MAX_PART_OCTETS} octets")
    try:
        prepared = precis.prepare(profile, text)
    except (ValueError, LookupError) as error:
        raise _fault(part, text, _why_refused(error)) from error
    if len(prepared.encode()) > MAX_PART_OCTETS:
        raise _fault(part, text, f"is longer than {MAX_PART_OCTETS} octets")
    return prepared


def _why_refused(error: Exception) -> str:
    if not isinstance(error, UnicodeEncodeError):
        return "is not allowed by its PRECIS profile"
    rule = error.reason.rpartition("/")[2].replace("_", " ")
    if error.end - error.start == 1:
        return f"has U+{ord(error.object[error.start]):04X} in it, which PRECIS disallows ({rule})"
    return f"is disallowed by PRECIS ({rule})"


def _fault(part: str, text: str, what: str) -> AddressError:
    echo = text if len(text) <= _ECHOED else text[: _ECHOED - 1] + "…"
    return AddressError(f"{part} {echo!r} {what}")


_ESCAPES: Final = "20|22|26|27|2f|3a|3c|3e|40|5c"
_TO_ESCAPE: Final = re.compile(rf"""[ "&'/:<>@]|\\(?={_ESCAPES})""")
_ESCAPED: Final = re.compile(rf"(?!^\\20|\\20\Z)\\({_ESCAPES})")


def escape_local(text: str) -> str:
    r"""What a person typed, as a localpart: `d'artagnan` becomes `d\27artagnan` (XEP-0106).

    A backslash is escaped only where it would otherwise read as the start of an escape. The result isn't prepared;
    `JID.of` does that. Raises `AddressError` for a space at either end, which has no escape.
    """
    if text.startswith(" ") or text.endswith(" "):
        raise _fault("localpart", text, "begins or ends with a space, which can't be escaped")
    return _TO_ESCAPE.sub(lambda match: f"\\{ord(match[0]):02x}", text)


def unescape_local(text: str) -> str:
    r"""A localpart as a person should see it: `d\27artagnan` becomes `d'artagnan` (XEP-0106).

    Only for showing and for gateways; unescaped localparts must not be compared or sent. What isn't one of the ten
    escapes stays, as does a `\20` at either end, where it isn't one.
    """
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)
