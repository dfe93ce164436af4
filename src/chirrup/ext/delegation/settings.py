"""What an operator delegates, and to whom."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from chirrup.core.jid import JID
from chirrup.ext.delegation import NS
from chirrup.server.module import Settings


def _domain(text: str) -> str:
    jid = JID(text)
    if jid.text != jid.domain:
        raise ValueError(f"should be the domain of a component, and {text} is an address in one")
    return jid.domain


def _namespace(text: str) -> str:
    if text == NS or text.startswith(f"{NS}:"):
        raise ValueError(f"{text} can't be delegated")
    return text


Domain = Annotated[str, AfterValidator(_domain)]
Namespace = Annotated[str, AfterValidator(_namespace)]


class Filter(Settings):
    """Which requests of a namespace are delegated."""

    attributes: tuple[str, ...] = ()
    """Attributes that the payload must have; without any, all requests are."""


class DelegationSettings(Settings):
    """Which components answer which requests instead of the server."""

    components: dict[Domain, dict[Namespace, Filter]] = Field(default={})
    """What each component answers, by its domain: a table of namespaces, each with a table that may have `attributes`,
    a list of those that the payload must have to be delegated. What clients ask before they have logged in never is."""
    answer_seconds: float = Field(default=30.0, gt=0)
    """Seconds that a component has to answer."""
    max_requests: int = Field(default=10_000, ge=1)
    """Requests that may wait for components at a time."""
    max_requests_per_sender: int = Field(default=64, ge=1)
    """Requests of one address that may wait for components at a time."""
    max_features: int = Field(default=200, ge=0)
    """Features that a component may have service discovery tell for a namespace; what it tells beyond doesn't count."""

    @model_validator(mode="after")
    def _one_each(self) -> Self:
        owners: dict[str, str] = {}
        for domain, namespaces in self.components.items():
            for namespace in namespaces:
                if namespace in owners:
                    raise ValueError(f"{namespace} is delegated to both {owners[namespace]} and {domain}")
                owners[namespace] = domain
        return self
