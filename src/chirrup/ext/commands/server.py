"""Ad-hoc commands at the server: where other modules offer what the host can be told to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from pydantic import Field

from chirrup.ext.commands import NS, payloads
from chirrup.ext.commands.execution import Command, Executions
from chirrup.ext.disco.payloads import Feature, Identity, Info, Item, Items
from chirrup.ext.disco.server import Disco
from chirrup.ext.forms import NS as FORMS
from chirrup.server.module import Addressee, Module, Request, Settings, Xep, iq_set

if TYPE_CHECKING:
    from chirrup.server.host import Host


class CommandsSettings(Settings):
    """How commands wait for those who give them."""

    seconds: float = Field(default=600, gt=0)
    """Seconds that a question of a command waits for its answer."""


class Commands(Module):
    """Lets people give the host commands, with forms to fill in."""

    needs = ("disco",)
    xeps = (Xep(50, "1.3.0"),)
    features = (NS,)
    Settings = CommandsSettings
    settings: CommandsSettings

    def __init__(self, host: Host, settings: CommandsSettings) -> None:
        super().__init__(host, settings)
        self._executions = Executions(self.host.clock, seconds=self.settings.seconds)

    async def start(self) -> None:
        self.need(Disco).add_nodes(Addressee.HOST, self._info, self._items)

    async def stop(self) -> None:
        self._executions.close()

    def add(self, command: Command) -> Callable[[], None]:
        """Offer a command of the host; what is returned takes it away again. ChirrupError where the node is taken."""
        return self._executions.add(command)

    def know(self, family: str) -> None:
        """Have "feature-not-implemented" told of commands that aren't there, but whose node begins so."""
        self._executions.know(family)

    @iq_set(payloads.Command)
    async def execute(self, request: Request[payloads.Command]) -> payloads.Command:
        """Each command says who may give it."""
        return await self._executions.handle(request.payload, request.sender)

    # -- service discovery (§3.1, §3.2)

    def _items(self, request: Request[Items]) -> Iterable[Item] | None:
        if request.payload.node != NS:
            return None
        return [Item(self.host.jid, one.name, one.node) for one in self._executions.offered(request.sender)]

    def _info(self, request: Request[Info]) -> Info | None:
        node = request.payload.node
        if node == NS:
            return Info(node, (Identity("automation", "command-list"),), (Feature(NS),))
        if node is None or not self._executions.has(node):
            return None
        command = self._executions.find(node, request.sender)
        identity = Identity("automation", "command-node", command.name)
        return Info(node, (identity,), (Feature(NS), Feature(FORMS)))
