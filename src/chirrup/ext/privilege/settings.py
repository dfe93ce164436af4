"""What an operator grants to components."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from chirrup.core.jid import JID
from chirrup.ext.privilege import NS
from chirrup.server.module import Settings

Access = Literal["none", "get", "set", "both"]


def _domain(text: str) -> str:
    jid = JID(text)
    if jid.text != jid.domain:
        raise ValueError(f"should be the domain of a component, and {text} is an address in one")
    return jid.domain


Domain = Annotated[str, AfterValidator(_domain)]


class Grant(Settings):
    """What one component may do; nothing unless it is said here."""

    roster: Access = "none"
    """Which requests for the rosters of all accounts it may send."""
    push: bool = True
    """Whether a component that may get rosters is told when they change."""
    message: Literal["none", "outgoing"] = "none"
    """"outgoing": it may send messages in the name of any account, and of the host."""
    iq: dict[str, Access] = Field(default={})
    """Which IQs it may send in the name of any account, by the namespace of their payload."""
    presence: Literal["none", "managed_entity", "roster"] = "none"
    """"managed_entity": it sees which accounts are available; "roster": it sees their contacts' presence too, for which
    it has to be allowed to get rosters."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.presence == "roster" and self.roster not in ("get", "both"):
            raise ValueError('presence = "roster" needs roster = "get" or "both"')
        if NS in self.iq:
            raise ValueError(f"{NS} can't be granted: privileges are used by who has them")
        return self

    @property
    def pushed(self) -> bool:
        """Whether changes of rosters are told."""
        return self.push and self.roster in ("get", "both")


class PrivilegeSettings(Settings):
    """Which components may do what in the name of accounts."""

    components: dict[Domain, Grant] = Field(default={})
    """What each component may do, by its domain: a table with `roster` ("none", "get", "set" or "both"), `push` (true
    or false), `message` ("none" or "outgoing"), `iq` (a table of namespaces, each with "none", "get", "set" or "both")
    and `presence` ("none", "managed_entity" or "roster")."""
    answer_seconds: float = Field(default=60.0, gt=0)
    """Seconds for which the answer to an IQ that was sent in an account's name is waited for."""
    max_requests: int = Field(default=1000, ge=1)
    """IQs that a component may have unanswered at a time."""
    max_presences: int = Field(default=50_000, ge=0)
    """Available contacts on other servers that are remembered for components that see contacts' presence. Of further
    ones they aren't told."""
