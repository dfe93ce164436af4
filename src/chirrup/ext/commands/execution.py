"""Commands as plain coroutines, for servers and clients that offer them (XEP-0050).

    async def add_user(execution: Execution) -> Outcome:
        answers = await execution.ask(AddUser)
        await accounts.create(answers.accountjid, answers.password)
        return f"{answers.accountjid} was added"

    executions.add(Command("http://jabber.org/protocol/admin#add-user", "Add a user", add_user, allowed=is_admin))

What a coroutine returns is what its user is told: a text, a declared form with facts, a table, or nothing. It may raise
StanzaError, and `Failed` for what went wrong without being anybody's fault on the wire.

A user may go back to an earlier question: then the coroutine is run again from its beginning and given the earlier
answers once more, so it mustn't do anything before it has asked its last question.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from chirrup.core.errors import ChirrupError, PayloadError, StanzaError
from chirrup.core.jid import JID
from chirrup.core.record import record
from chirrup.ext.commands import NS, payloads
from chirrup.ext.commands.payloads import Actions, Note
from chirrup.ext.forms.declared import Questions
from chirrup.ext.forms.payloads import Form

if TYPE_CHECKING:
    from chirrup.net.clock import Clock, Timer

Q = TypeVar("Q", bound=Questions)

Outcome: TypeAlias = "str | Questions | Form | None"
"""What a command returns: something to read, or a form of type "result"."""

_MAX_EXECUTIONS: Final = 1_000
_MAX_PER_REQUESTER: Final = 10
"""Executions that aren't over: of all, and of one account. Beyond, the oldest question of that account is forgotten, or
of whoever has most of them."""


class Failed(ChirrupError):  # noqa: N818 - it says what happened to a command
    """The command could not do it; the message is for whoever gave it."""


@record
class _Question:
    form: Form
    read: Callable[[Form], Questions]
    """Takes the form that was filled in. Raises PayloadError."""
    last: bool


class Execution:
    """One run of a command, from its first request to its end."""

    def __init__(self, requester: JID, node: str, answers: list[Form]) -> None:
        self.requester = requester
        """Whose command it is: a full JID."""
        self.node = node
        self.answers = answers
        """What was answered so far."""
        self.question: asyncio.Future[_Question] = _future()
        self.answer: asyncio.Future[Any] = _future()
        self._replayed = 0

    async def ask(
        self,
        questions: type[Q],
        *,
        last: bool = True,
        choices: Mapping[str, Mapping[str, str]] | None = None,
        **values: object,
    ) -> Q:
        """Ask, and wait for the answer. `last` says that nothing will be asked after that; `choices` and `values` are
        those of `Questions.blank`. An answer that doesn't fit is refused and may be given again."""

        def read(form: Form) -> Q:
            return questions.read(form, choices=choices, **values)

        if self._replayed < len(self.answers):
            self._replayed += 1
            return read(self.answers[self._replayed - 1])
        self.question.set_result(_Question(questions.blank(choices=choices, **values), read, last))
        answer: Q = await self.answer
        self._replayed += 1
        return answer

    def asked_next(self) -> None:
        """Be ready for the next question."""
        self.question, self.answer = _future(), _future()


Run: TypeAlias = Callable[[Execution], Awaitable[Outcome]]


@record
class Command:
    """Something that can be done."""

    node: str
    name: str
    """What people see of it."""
    run: Run
    allowed: Callable[[JID], bool] = lambda _: True
    """Whether somebody may give it, by their full JID."""


@dataclass(slots=True, eq=False)
class _Running:
    command: Command
    execution: Execution
    task: asyncio.Future[Outcome]
    timer: Timer | None = None
    asked: _Question | None = None


class Executions:
    """The commands of one entity, and who is giving them."""

    def __init__(self, clock: Clock, *, seconds: float) -> None:
        """`seconds` is how long a question waits for its answer."""
        self._clock = clock
        self._seconds = seconds
        self._commands: dict[str, Command] = {}
        self._families: tuple[str, ...] = ()
        self._running: dict[str, _Running] = {}

    def add(self, command: Command) -> Callable[[], None]:
        """Offer a command; what is returned takes it away again. ChirrupError where the node is taken."""
        if command.node in self._commands:
            raise ChirrupError(f"there is a command {command.node!r} already")
        self._commands[command.node] = command

        def undo() -> None:
            self._commands.pop(command.node, None)

        return undo

    def know(self, family: str) -> None:
        """Nodes that begin so are commands of a specification that asks for another error where one isn't offered:
        "feature-not-implemented" (XEP-0133 §5)."""
        self._families = (*self._families, family)

    def has(self, node: str) -> bool:
        """Whether there is such a command, whoever may give it."""
        return node in self._commands

    def offered(self, requester: JID) -> list[Command]:
        """What they may do."""
        return [command for command in self._commands.values() if command.allowed(requester)]

    def find(self, node: str, requester: JID) -> Command:
        """The command of that node. StanzaError "item-not-found", or "forbidden" for those who may not give it."""
        command = self._commands.get(node)
        if command is None:
            if self._families and node.startswith(self._families):
                raise StanzaError("feature-not-implemented", "this service has no such command")
            raise StanzaError("item-not-found", "there is no such command")
        if not command.allowed(requester):
            raise StanzaError("forbidden", "you may not give this command")
        return command

    async def handle(self, request: payloads.Command, requester: JID) -> payloads.Command:
        """Take a request, and wait for what is to be answered. Raises StanzaError."""
        command = self.find(request.node, requester)
        action = request.action or "execute"
        if action not in ("execute", "cancel", "prev", "next", "complete"):
            raise _refusal("malformed-action", f"nobody knows the action {action!r}")
        if request.sessionid is None:
            if action != "execute":
                raise _refusal("bad-action", "a command begins with the action 'execute'")
            return await self._begin(command, requester)
        running = self._running.get(request.sessionid)
        if running is None or running.execution.requester != requester:
            raise StanzaError("not-allowed", "that execution is over", app=f"{{{NS}}}session-expired")
        if running.command is not command:
            raise _refusal("bad-sessionid", "that execution is of another command")
        return await self._go_on(request.sessionid, running, action, request.form)

    async def _begin(self, command: Command, requester: JID) -> payloads.Command:
        account = requester.bare
        own = [(key, one) for key, one in self._running.items() if one.execution.requester.bare == account]
        if len(own) >= _MAX_PER_REQUESTER:  # people close a form without a word
            forgotten = next((key for key, one in own if one.asked is not None), None)
            if forgotten is None:
                raise StanzaError("resource-constraint", "too many of your commands are at work; wait for them")
            self._end(forgotten)
        if len(self._running) >= _MAX_EXECUTIONS:
            self._make_room()
        identifier = secrets.token_urlsafe(12)
        return await self._step(identifier, _start(command, Execution(requester, command.node, [])))

    def _make_room(self) -> None:
        """Forget the oldest question of whoever has most of them: nobody else's commands are refused for those."""
        asked = [(one.execution.requester.bare, key) for key, one in self._running.items() if one.asked is not None]
        if not asked:
            raise StanzaError("resource-constraint", "too many commands are at work; try again later")
        counts = Counter(account for account, _ in asked)
        most = max(counts, key=lambda account: counts[account])
        self._end(next(key for account, key in asked if account == most))

    async def _go_on(self, identifier: str, running: _Running, action: str, form: Form | None) -> payloads.Command:
        if running.asked is None:
            raise _refusal("bad-action", "the command is at work; wait for its answer")
        execution = running.execution
        if action == "cancel":
            self._end(identifier)
            return payloads.Command(execution.node, identifier, status="canceled")
        if action == "prev":
            if not execution.answers:
                raise _refusal("bad-action", "this is the first stage")
            self._end(identifier)
            again = Execution(execution.requester, execution.node, execution.answers[:-1])
            return await self._step(identifier, _start(running.command, again))
        asked = running.asked
        if action != "execute" and (action == "complete") != asked.last:
            raise _refusal("bad-action", f"this stage goes on by {'complete' if asked.last else 'next'!r}")
        if form is None:
            raise _refusal("bad-payload", "the form is missing")
        try:
            answer = asked.read(form)
        except PayloadError as error:
            raise _refusal("bad-payload", str(error)) from None
        execution.answers.append(form)
        previous = execution.answer
        execution.asked_next()
        previous.set_result(answer)
        return await self._step(identifier, running)

    async def _step(self, identifier: str, running: _Running) -> payloads.Command:
        """Let it run up to its next question, or its end."""
        execution = running.execution
        self._running[identifier] = running
        running.asked = None
        if running.timer is not None:
            running.timer.cancel()
        either: list[asyncio.Future[Any]] = [running.task, execution.question]
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:  # nobody waits for the answer any more
            self._end(identifier)
            raise
        if not running.task.done():
            asked = running.asked = execution.question.result()
            running.timer = self._clock.call_later(self._seconds, lambda: self._end(identifier))
            actions = _actions(bool(execution.answers), asked.last)
            return payloads.Command(execution.node, identifier, status="executing", actions=actions, form=asked.form)
        self._end(identifier)
        return _completed(execution.node, identifier, running.task)

    def _end(self, identifier: str) -> None:
        running = self._running.pop(identifier, None)
        if running is not None:
            running.task.cancel()
            if running.timer is not None:
                running.timer.cancel()

    def close(self) -> None:
        """End what runs."""
        for identifier in list(self._running):
            self._end(identifier)


def _start(command: Command, execution: Execution) -> _Running:
    return _Running(command, execution, asyncio.ensure_future(command.run(execution)))


def _completed(node: str, identifier: str, task: asyncio.Future[Outcome]) -> payloads.Command:
    try:
        outcome = task.result()
    except Failed as failure:
        return payloads.Command(node, identifier, status="completed", notes=(Note(str(failure), "error"),))
    match outcome:
        case str():
            return payloads.Command(node, identifier, status="completed", notes=(Note(outcome),))
        case Questions():
            return payloads.Command(node, identifier, status="completed", form=outcome.filled("result"))
    return payloads.Command(node, identifier, status="completed", form=outcome)


def _actions(can_go_back: bool, last: bool) -> Actions:
    return Actions("complete" if last else "next", prev=can_go_back, next=not last, complete=last)


def _refusal(condition: str, text: str) -> StanzaError:
    return StanzaError("bad-request", text, app=f"{{{NS}}}{condition}")


def _future() -> asyncio.Future[Any]:
    return asyncio.get_running_loop().create_future()
