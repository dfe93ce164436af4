"""Every exception that Chirrup raises on purpose.

    ChirrupError
    ├── AddressError            a text that is no JID (RFC 7622)
    ├── PayloadError            an element that doesn't have the shape its schema asks for
    ├── ProtocolError
    │   ├── StreamError         ends a stream (RFC 6120 §4.9)
    │   ├── StanzaError         answers one stanza (RFC 6120 §8.3)
    │   ├── SASLError           ends one authentication attempt (RFC 6120 §6.5)
    │   │   └── AuthenticationError  a server refuses our credentials: trying again won't help
    │   └── LocalProtocolError  our own program asked for what the protocol forbids at this point
    ├── NetworkError            the way to a peer
    │   ├── ResolutionError     a name that can't be looked up, or has no addresses
    │   ├── TrustError          a certificate that isn't the peer's
    │   ├── DeadlineError       a step that took too long
    │   └── Disconnected        there is no connection, or it broke off
    ├── ConfigError             the operator's configuration: names the key, the fault and the cure
    └── StoreError              durable storage
        ├── SchemaTooNew        written by a later version of the program
        ├── StoreLocked         another process holds it
        ├── StoreDamaged        the file is not, or is no longer, a database
        ├── StoreFull           no room on the device
        ├── StoreRefused        one value is more than the database can take
        └── StoreUnavailable    the database server can't be reached

`StreamError`, `StanzaError` and `SASLError` travel: they are raised for what a peer did wrong and then sent,
and they are raised when a peer sends one to us. Turning them into XML and back is `core.stanza`'s work.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

StanzaErrorType = Literal["auth", "cancel", "continue", "modify", "wait"]

STANZA_CONDITIONS: Final[dict[str, StanzaErrorType]] = {
    "bad-request": "modify",
    "conflict": "cancel",
    "feature-not-implemented": "cancel",
    "forbidden": "auth",
    "gone": "cancel",
    "internal-server-error": "cancel",
    "item-not-found": "cancel",
    "jid-malformed": "modify",
    "not-acceptable": "modify",
    "not-allowed": "cancel",
    "not-authorized": "auth",
    "policy-violation": "modify",
    "recipient-unavailable": "wait",
    "redirect": "modify",
    "registration-required": "auth",
    "remote-server-not-found": "cancel",
    "remote-server-timeout": "wait",
    "resource-constraint": "wait",
    "service-unavailable": "cancel",
    "subscription-required": "auth",
    "undefined-condition": "cancel",
    "unexpected-request": "wait",
}
"""Each defined stanza error condition with the error type RFC 6120 §8.3.3 recommends for it."""

STREAM_CONDITIONS: Final[frozenset[str]] = frozenset(
    {
        "bad-format",
        "bad-namespace-prefix",
        "conflict",
        "connection-timeout",
        "host-gone",
        "host-unknown",
        "improper-addressing",
        "internal-server-error",
        "invalid-from",
        "invalid-namespace",
        "invalid-xml",
        "not-authorized",
        "not-well-formed",
        "policy-violation",
        "remote-connection-failed",
        "reset",
        "resource-constraint",
        "restricted-xml",
        "see-other-host",
        "system-shutdown",
        "undefined-condition",
        "unsupported-encoding",
        "unsupported-feature",
        "unsupported-stanza-type",
        "unsupported-version",
    }
)
"""The stream error conditions of RFC 6120 §4.9.3."""

SASL_CONDITIONS: Final[frozenset[str]] = frozenset(
    {
        "aborted",
        "account-disabled",
        "credentials-expired",
        "encryption-required",
        "incorrect-encoding",
        "invalid-authzid",
        "invalid-mechanism",
        "malformed-request",
        "mechanism-too-weak",
        "not-authorized",
        "temporary-auth-failure",
    }
)
"""The SASL failure conditions of RFC 6120 §6.5."""


class ChirrupError(Exception):
    """The root of all errors that Chirrup raises on purpose."""


class AddressError(ChirrupError, ValueError):
    """A text that is not a JID; the message names the part and what is wrong with it (RFC 7622)."""


class PayloadError(ChirrupError, ValueError):
    """An element lacks, or has wrong, what its schema asks for; the message names the field."""


class ProtocolError(ChirrupError):
    """Something on the wire broke a rule."""


class LocalProtocolError(ProtocolError):
    """Our own side asked for something that the protocol doesn't allow in this state."""


class StreamError(ProtocolError):
    """An unrecoverable fault of a stream, sent as `<stream:error/>` before the stream closes (RFC 6120 §4.9)."""

    def __init__(
        self,
        condition: str,
        text: str = "",
        *,
        detail: str = "",
        app: str = "",
        app_attributes: Mapping[str, str] | None = None,
    ) -> None:
        """`detail` is the character data of the condition element (the address in `see-other-host`);
        `app` the Clark name (`{namespace}name`) of an application-specific condition, which may have attributes."""
        if condition not in STREAM_CONDITIONS:
            condition, text = "undefined-condition", text or condition
        super().__init__(f"{condition}: {text}" if text else condition)
        self.condition = condition
        self.text = text
        self.detail = detail
        self.app = app
        self.app_attributes = dict(app_attributes or {})


class StanzaError(ProtocolError):
    """The answer to one stanza that could not be processed, sent with type "error" (RFC 6120 §8.3)."""

    def __init__(
        self,
        condition: str,
        text: str = "",
        *,
        type: StanzaErrorType | None = None,  # noqa: A002 - the attribute's own name in RFC 6120
        by: str = "",
        detail: str = "",
        app: str = "",
        app_attributes: Mapping[str, str] | None = None,
        code: int | None = None,
    ) -> None:
        """`type` defaults to what RFC 6120 recommends for the condition; `by` is the entity that found the
        error; `detail` the character data of `gone` and `redirect`; `app` the Clark name of an
        application-specific condition, which may have attributes; `code` the number of XEP-0086, for where clients are
        known to look at nothing else."""
        if condition not in STANZA_CONDITIONS:
            raise ValueError(f"{condition!r} is no stanza error condition of RFC 6120 §8.3.3")
        super().__init__(f"{condition}: {text}" if text else condition)
        self.condition = condition
        self.text = text
        self.type: StanzaErrorType = type or STANZA_CONDITIONS[condition]
        self.by = by
        self.detail = detail
        self.app = app
        self.app_attributes = dict(app_attributes or {})
        self.code = code


class SASLError(ProtocolError):
    """An authentication attempt failed (RFC 6120 §6.5); another may be tried on the same stream."""

    def __init__(self, condition: str = "not-authorized", text: str = "") -> None:
        if condition not in SASL_CONDITIONS:
            condition, text = "not-authorized", text or condition
        super().__init__(f"{condition}: {text}" if text else condition)
        self.condition = condition
        self.text = text


class AuthenticationError(SASLError):
    """Our credentials were refused. `str()` names the account."""

    def __init__(self, condition: str, text: str = "", *, account: str = "") -> None:
        super().__init__(condition, text)
        self.account = account

    def __str__(self) -> str:
        return f"{self.account}: {super().__str__()}" if self.account else super().__str__()


class NetworkError(ChirrupError):
    """A peer can't be reached, or was lost; the message says at which step and how."""


class ResolutionError(NetworkError):
    """A name can't be looked up; the message says which."""


class TrustError(NetworkError):
    """The peer's certificate isn't one for the name that it should have."""


class DeadlineError(NetworkError, TimeoutError):
    """A step took too long."""

    def __init__(self, step: str, seconds: float) -> None:
        super().__init__(f"{step}: nothing for {seconds:g} s")
        self.step = step
        """What was waited for: "waiting for stream features"."""
        self.seconds = seconds


class Disconnected(NetworkError):  # noqa: N818 - reads as the condition it is
    """There is no connection, or it broke off before the answer."""


class ConfigError(ChirrupError):
    """The configuration can't be used. `str()` is one line for the operator: where, which key, what is wrong,
    what would be right."""

    def __init__(self, problem: str, *, key: str = "", file: str = "", line: int | None = None) -> None:
        where = f"{file}:{line}" if file and line else file
        super().__init__(": ".join(part for part in (where, key, problem) if part))
        self.problem = problem
        self.key = key
        self.file = file
        self.line = line


class StoreError(ChirrupError):
    """Durable storage refused; the message is one line for the operator. Nothing was changed."""


class SchemaTooNew(StoreError):  # noqa: N818 - reads as the condition it is
    """The database was written by a later version of the program."""


class StoreLocked(StoreError):  # noqa: N818
    """Another process holds the database."""


class StoreDamaged(StoreError):  # noqa: N818
    """The file isn't a database, or is no longer whole."""


class StoreFull(StoreError):  # noqa: N818
    """The device has no room left."""


class StoreRefused(StoreError):  # noqa: N818
    """The database can't take such a value, and never will: a key that is too long. All else is stored."""


class StoreUnavailable(StoreError):  # noqa: N818
    """The database server can't be reached."""
