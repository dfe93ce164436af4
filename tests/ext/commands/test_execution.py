"""Commands as coroutines: stages, going back, refusals, and what is left behind."""

from __future__ import annotations

import asyncio

import pytest

from chirrup.core.errors import ChirrupError, StanzaError
from chirrup.core.jid import JID
from chirrup.core.xml import Element
from chirrup.ext.commands.execution import Command, Execution, Executions, Failed, Outcome
from chirrup.ext.commands.payloads import Command as Request
from chirrup.ext.forms.declared import Questions, form, question
from chirrup.ext.forms.payloads import Field, Form
from chirrup.testing import FakeClock

ROMEO = JID("romeo@montague.lit/orchard")
JULIET = JID("juliet@capulet.lit/balcony")


@form(title="Configure Service")
class Service(Questions):
    service: str = question("Service", pattern="[a-z]+")


@form(title="Configure Service")
class Modes(Questions):
    runlevel: tuple[str, ...] = question("Run Modes", required=True)


async def configure(execution: Execution) -> Outcome:
    """The command of XEP-0050 §3.4.2."""
    service = await execution.ask(Service, last=False)
    modes = await execution.ask(Modes, choices={"runlevel": {"3": "Network", "5": "Windows"}})
    return f"Service '{service.service}' has been configured for {' and '.join(modes.runlevel)}."


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def executions(clock: FakeClock) -> Executions:
    made = Executions(clock, seconds=60)
    made.add(Command("config", "Configure", configure))
    return made


def request(session: str | None = None, action: str | None = None, **answers: str) -> Request:
    fields = tuple(Field(var, values=tuple(value.split())) for var, value in answers.items())
    return Request("config", session, action, form=Form("submit", fields=fields) if answers else None)


async def refused(executions: Executions, asked: Request, by: JID = ROMEO) -> tuple[str, str]:
    """The conditions, general and specific."""
    with pytest.raises(StanzaError) as error:
        await executions.handle(asked, by)
    return error.value.condition, error.value.app.rpartition("}")[2]


async def test_stages(executions: Executions) -> None:
    first = await executions.handle(request(), ROMEO)
    assert first.status == "executing"
    assert first.actions is not None
    assert (first.actions.execute, first.actions.prev, first.actions.next, first.actions.complete) == (
        "next", False, True, False,
    )  # fmt: skip
    assert first.form is not None
    assert first.form.field("service") is not None
    second = await executions.handle(request(first.sessionid, "next", service="httpd"), ROMEO)
    assert second.actions is not None
    assert (second.actions.execute, second.actions.prev, second.actions.complete) == ("complete", True, True)
    done = await executions.handle(request(first.sessionid, runlevel="3 5"), ROMEO)
    assert (done.status, done.notes[0].type) == ("completed", "info")
    assert done.notes[0].text == "Service 'httpd' has been configured for 3 and 5."
    assert await refused(executions, request(first.sessionid, runlevel="3")) == ("not-allowed", "session-expired")


async def test_going_back(executions: Executions) -> None:
    first = await executions.handle(request(), ROMEO)
    await executions.handle(request(first.sessionid, service="httpd"), ROMEO)
    again = await executions.handle(request(first.sessionid, "prev"), ROMEO)
    assert again.sessionid == first.sessionid
    assert again.form is not None
    assert again.form.field("service") is not None
    await executions.handle(request(first.sessionid, service="jabberd"), ROMEO)
    done = await executions.handle(request(first.sessionid, "complete", runlevel="3"), ROMEO)
    assert done.notes[0].text == "Service 'jabberd' has been configured for 3."


async def test_cancelling(executions: Executions) -> None:
    first = await executions.handle(request(), ROMEO)
    gone = await executions.handle(request(first.sessionid, "cancel"), ROMEO)
    assert (gone.status, gone.sessionid) == ("canceled", first.sessionid)
    assert await refused(executions, request(first.sessionid, "cancel")) == ("not-allowed", "session-expired")


async def test_an_answer_that_does_not_fit_may_be_given_again(executions: Executions) -> None:
    first = await executions.handle(request(), ROMEO)
    for wrong in (request(first.sessionid, service="HTTPD"), request(first.sessionid), request(first.sessionid, x="y")):
        assert await refused(executions, wrong) == ("bad-request", "bad-payload")
    second = await executions.handle(request(first.sessionid, service="httpd"), ROMEO)
    assert second.status == "executing"


@pytest.mark.parametrize(
    ("action", "conditions"),
    [
        ("prev", ("bad-request", "bad-action")),
        ("complete", ("bad-request", "bad-action")),
        ("dance", ("bad-request", "malformed-action")),
    ],
)
async def test_actions_that_are_not_offered(executions: Executions, action: str, conditions: tuple[str, str]) -> None:
    first = await executions.handle(request(), ROMEO)
    assert await refused(executions, request(first.sessionid, action, service="httpd")) == conditions


async def test_a_command_does_not_begin_in_the_middle(executions: Executions) -> None:
    assert await refused(executions, request(action="next")) == ("bad-request", "bad-action")
    assert await refused(executions, request("made-up")) == ("not-allowed", "session-expired")


async def test_nobody_goes_on_for_another(executions: Executions) -> None:
    first = await executions.handle(request(), ROMEO)
    conditions = ("not-allowed", "session-expired")
    for other in (JULIET, JID("romeo@montague.lit/elsewhere")):
        assert await refused(executions, request(first.sessionid, service="httpd"), other) == conditions
        assert await refused(executions, request(first.sessionid, "cancel"), other) == conditions


async def test_an_execution_belongs_to_its_command(executions: Executions) -> None:
    executions.add(Command("other", "Other", configure))
    first = await executions.handle(request(), ROMEO)
    assert await refused(executions, Request("other", first.sessionid)) == ("bad-request", "bad-sessionid")


async def test_questions_do_not_wait_for_ever(executions: Executions, clock: FakeClock) -> None:
    first = await executions.handle(request(), ROMEO)
    clock.advance(59)
    await executions.handle(request(first.sessionid, service="httpd"), ROMEO)
    clock.advance(59)
    clock.advance(2)
    assert await refused(executions, request(first.sessionid, runlevel="3")) == ("not-allowed", "session-expired")


async def test_only_what_is_offered_can_be_chosen(executions: Executions) -> None:
    first = await executions.handle(request(), ROMEO)
    await executions.handle(request(first.sessionid, service="httpd"), ROMEO)
    assert await refused(executions, request(first.sessionid, runlevel="3 6")) == ("bad-request", "bad-payload")
    done = await executions.handle(request(first.sessionid, runlevel="3"), ROMEO)
    assert done.status == "completed"


def test_what_a_requester_says_of_the_status_means_nothing() -> None:
    """XEP-0050 §4.1: it must be ignored; §3.3 even shows one that there isn't."""
    asked = Element("command", Request.NS, node="config", status="execute")
    assert Request.parse(asked).node == "config"


async def test_who_may_no_longer_cannot_go_on(executions: Executions) -> None:
    allowed = {ROMEO}
    executions.add(Command("secret", "Secret", configure, allowed=allowed.__contains__))
    first = await executions.handle(Request("secret"), ROMEO)
    allowed.clear()
    for action in ("execute", "next", "prev", "cancel"):
        asked = Request("secret", first.sessionid, action, form=Form("submit", fields=(Field("service"),)))
        assert await refused(executions, asked) == ("forbidden", "")


async def test_a_request_that_is_given_up_leaves_nothing_behind(executions: Executions) -> None:
    reached, never = asyncio.Event(), asyncio.Event()

    async def slow(execution: Execution) -> Outcome:
        reached.set()
        await never.wait()
        return None

    executions.add(Command("slow", "Slow", slow))
    for _ in range(20):
        reached.clear()
        asking = asyncio.ensure_future(executions.handle(Request("slow"), ROMEO))
        await reached.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
    assert (await executions.handle(request(), ROMEO)).status == "executing"


async def test_nobody_begins_without_end(executions: Executions) -> None:
    """What waits for its answer the longest is forgotten; somebody may just have closed the form."""
    begun = [await executions.handle(request(), ROMEO) for _ in range(10)]
    theirs = await executions.handle(request(), JULIET)
    another = JID("romeo@montague.lit/2")
    assert (await executions.handle(request(), another)).status == "executing"
    assert await refused(executions, request(begun[0].sessionid, service="httpd")) == ("not-allowed", "session-expired")
    for first, who in ((begun[1], ROMEO), (theirs, JULIET)):
        assert (await executions.handle(request(first.sessionid, service="httpd"), who)).status == "executing"


async def test_those_who_leave_many_open_take_nobody_elses_place(executions: Executions) -> None:
    many = [JID(f"stranger{number // 10}@montague.lit/x") for number in range(1_020)]
    hers = await executions.handle(request(), JULIET)
    theirs = [await executions.handle(request(), stranger) for stranger in many]
    his = await executions.handle(request(), ROMEO)
    for who, first in ((JULIET, hers), (ROMEO, his), (many[-1], theirs[-1])):
        assert (await executions.handle(request(first.sessionid, service="httpd"), who)).status == "executing"
    assert await refused(executions, request(theirs[0].sessionid, service="httpd"), many[0]) == (
        "not-allowed", "session-expired",
    )  # fmt: skip


async def test_what_is_at_work_is_not_forgotten(executions: Executions) -> None:
    go_on = asyncio.Event()

    async def slow(execution: Execution) -> Outcome:
        await go_on.wait()
        return "done"

    executions.add(Command("slow", "Slow", slow))
    working = [asyncio.ensure_future(executions.handle(Request("slow"), ROMEO)) for _ in range(10)]
    await asyncio.sleep(0)
    assert await refused(executions, request()) == ("resource-constraint", "")
    go_on.set()
    assert [one.notes[0].text for one in await asyncio.gather(*working)] == ["done"] * 10
    assert (await executions.handle(request(), ROMEO)).status == "executing"


async def test_who_may(executions: Executions) -> None:
    executions.add(Command("secret", "Secret", configure, allowed=lambda jid: jid == JULIET))
    assert [command.node for command in executions.offered(ROMEO)] == ["config"]
    assert [command.node for command in executions.offered(JULIET)] == ["config", "secret"]
    assert await refused(executions, Request("secret")) == ("forbidden", "")
    assert await refused(executions, Request("unknown")) == ("item-not-found", "")


async def test_failures(executions: Executions) -> None:
    async def fail(execution: Execution) -> Outcome:
        raise Failed("there is no such service")

    async def refuse(execution: Execution) -> Outcome:
        raise StanzaError("conflict", "somebody else is at it")

    executions.add(Command("fail", "Fail", fail))
    executions.add(Command("refuse", "Refuse", refuse))
    done = await executions.handle(Request("fail"), ROMEO)
    assert (done.status, done.notes[0].type, done.notes[0].text) == ("completed", "error", "there is no such service")
    assert (await refused(executions, Request("refuse")))[0] == "conflict"


async def test_a_result_may_be_a_form(executions: Executions) -> None:
    async def tell(execution: Execution) -> Outcome:
        return Service(service="httpd")

    executions.add(Command("tell", "Tell", tell))
    done = await executions.handle(Request("tell"), ROMEO)
    assert done.form is not None
    assert (done.status, done.form.type, done.form.values("service")) == ("completed", "result", ("httpd",))


async def test_what_runs_ends_with_the_entity(executions: Executions) -> None:
    ended = asyncio.Event()

    async def wait(execution: Execution) -> Outcome:
        try:
            await execution.ask(Service)
        finally:
            ended.set()
        return None

    executions.add(Command("wait", "Wait", wait))
    await executions.handle(Request("wait"), ROMEO)
    executions.close()
    await ended.wait()


def test_a_node_is_of_one_command(clock: FakeClock) -> None:
    executions = Executions(clock, seconds=60)
    undo = executions.add(Command("config", "Configure", configure))
    with pytest.raises(ChirrupError, match="already"):
        executions.add(Command("config", "Again", configure))
    undo()
    assert not executions.has("config")
