"""The errors of publish-subscribe: one of RFC 6120's conditions with one of XEP-0060's own."""

from __future__ import annotations

from chirrup.core.errors import StanzaError, StanzaErrorType
from chirrup.ext.pubsub import ERRORS


def refusal(condition: str, own: str = "", text: str = "", *, kind: StanzaErrorType | None = None) -> StanzaError:
    """`own` is the name of the condition in pubsub's namespace."""
    return StanzaError(condition, text, type=kind, app=f"{{{ERRORS}}}{own}" if own else "")


def unsupported(feature: str, text: str = "") -> StanzaError:
    """The service, or the node, doesn't support what is asked for."""
    app = f"{{{ERRORS}}}unsupported"
    return StanzaError("feature-not-implemented", text, app=app, app_attributes={"feature": feature})
