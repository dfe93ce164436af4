"""A client and a server that talk to each other, for all tests of SASL."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from chirrup.core.errors import SASLError
from chirrup.core.sasl import (
    Challenge,
    ClientMechanism,
    NeedIdentity,
    NeedKeys,
    NeedPassword,
    ScramKeys,
    ServerMechanism,
    Success,
)

Exchange = Callable[..., Success]


@pytest.fixture(scope="session")
def exchange() -> Exchange:
    def run(
        client: ClientMechanism,
        server: ServerMechanism,
        *,
        keys: Callable[[str, str], ScramKeys] | None = None,
        password: Callable[[str, str], bool] = lambda username, password: False,
        identity: Callable[[str], bool] = lambda authzid: False,
        without_initial_response: bool = False,
    ) -> Success:
        """Let them talk till the end; the callables are the server's caller, who knows its users."""
        step = server.step(None if without_initial_response else client.initial())
        if without_initial_response:
            assert step == Challenge(b"")
            step = server.step(client.initial())
        while not isinstance(step, Success):
            match step:
                case Challenge(data):
                    answer = client.respond(data)
                    step = server.step(answer if isinstance(answer, bytes) else client.salted(answer.derive()))
                case NeedKeys(username, algorithm):
                    assert keys is not None
                    step = server.keys(keys(username, algorithm))
                case NeedPassword(username, given):
                    step = server.verified(password(username, given))
                case NeedIdentity(authzid):
                    step = server.verified(identity(authzid))
        client.finish(step.data)
        return step

    return run


@pytest.fixture(scope="session")
def refusal() -> Callable[..., str]:
    def condition(act: Callable[..., object], *args: object) -> str:
        """The condition of the SASLError that the call ends in."""
        with pytest.raises(SASLError) as caught:
            act(*args)
        return caught.value.condition

    return condition
