"""Ad-hoc commands of clients and components: giving others', and offering one's own (XEP-0050)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from chirrup.client.entity import Entity
from chirrup.client.feature import Feature, Request, iq_set
from chirrup.core.jid import JID
from chirrup.core.record import record
from chirrup.ext.commands import NS, payloads
from chirrup.ext.commands.execution import Command, Executions
from chirrup.ext.disco.client import Disco
from chirrup.ext.disco.payloads import Feature as FeatureOf
from chirrup.ext.disco.payloads import Identity, Info, Item, Items
from chirrup.ext.forms import NS as FORMS
from chirrup.ext.forms.declared import Questions
from chirrup.ext.forms.payloads import Form

Q = TypeVar("Q", bound=Questions)

_SECONDS = 600.0
"""How long a question of an own command waits for its answer."""


@record
class Stage:
    """What somebody has answered to a command, and what can be done next."""

    commands: Commands
    jid: JID
    answer: payloads.Command

    @property
    def done(self) -> bool:
        """Whether it is over."""
        return self.answer.status != "executing"

    @property
    def notes(self) -> tuple[payloads.Note, ...]:
        return self.answer.notes

    @property
    def form(self) -> Form | None:
        """What is asked, or told at the end."""
        return self.answer.form

    async def submit(self, answers: Form | Questions, *, action: payloads.Action = "execute") -> Stage:
        """Answer the form, and go on. Raises StanzaError where the answers don't fit; others may be given then."""
        form = answers.filled() if isinstance(answers, Questions) else answers
        return await self.commands.step(self.jid, self.answer, action, form)

    async def back(self) -> Stage:
        """Go back to the question before. Raises StanzaError where there is none."""
        return await self.commands.step(self.jid, self.answer, "prev", None)

    async def cancel(self) -> None:
        """Give it up."""
        await self.commands.step(self.jid, self.answer, "cancel", None)


class Commands(Feature):
    """Gives commands, and takes them."""

    xeps = ((50, "1.3.0", ""),)
    features = (NS,)

    def __init__(self, entity: Entity) -> None:
        super().__init__(entity)
        self._own = Executions(entity.clock, seconds=_SECONDS)
        self.need(Disco).add_nodes(info=self._info, items=self._items)

    # -- others'

    async def of(self, jid: JID | str) -> list[Item]:
        """The commands that somebody offers: each with its `node`, and a `name` for people."""
        address = JID.parse(jid) if isinstance(jid, str) else jid
        items = await self.need(Disco).items(address, NS)
        return [item for item in items if item.jid == address and item.node]

    async def give(self, jid: JID | str, node: str) -> Stage:
        """Begin a command. Raises StanzaError where that isn't possible."""
        address = JID.parse(jid) if isinstance(jid, str) else jid
        return await self.step(address, payloads.Command(node), "execute", None)

    async def step(self, jid: JID, last: payloads.Command, action: payloads.Action, form: Form | None) -> Stage:
        """Send a request of an execution; `last` is what was answered before."""
        request = payloads.Command(last.node, last.sessionid, action, form=form)
        return Stage(self, jid, await self.entity.request(request, to=jid, type="set", result=payloads.Command))

    # -- one's own

    def add(self, command: Command) -> Callable[[], None]:
        """Offer a command; what is returned takes it away again. ChirrupError where the node is taken."""
        return self._own.add(command)

    @iq_set(payloads.Command)
    async def taken(self, request: Request[payloads.Command]) -> payloads.Command:
        return await self._own.handle(request.payload, request.sender)

    def _items(self, request: Request[Items]) -> Items | None:
        if request.payload.node != NS:
            return None
        me = self.entity.jid
        return Items(NS, tuple(Item(me, command.name, command.node) for command in self._own.offered(request.sender)))

    def _info(self, request: Request[Info]) -> Info | None:
        node = request.payload.node
        if node == NS:
            return Info(node, (Identity("automation", "command-list"),), (FeatureOf(NS),))
        if node is None or not self._own.has(node):
            return None
        command = self._own.find(node, request.sender)
        return Info(node, (Identity("automation", "command-node", command.name),), (FeatureOf(NS), FeatureOf(FORMS)))
