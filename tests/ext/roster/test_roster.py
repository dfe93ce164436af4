from __future__ import annotations

from dataclasses import replace

import pytest

from chirrup.core.jid import JID
from chirrup.ext.roster.payloads import Item
from chirrup.ext.roster.roster import Contact, Roster
from chirrup.ext.roster.states import State

JULIET = JID("juliet@example.com")
ROMEO = JID("romeo@example.net")
NURSE = JID("nurse@example.com")


@pytest.fixture
def roster() -> Roster:
    return Roster(JULIET)


@pytest.mark.parametrize(
    "contact",
    [
        Contact(NURSE, listed=True),
        Contact(NURSE, State.TO_IN, "Nurse", ("Servants", 'a "b"'), True, True, "<presence type='subscribe'/>"),
        Contact(NURSE, State.NONE_IN, request="<presence>ř</presence>"),
    ],
)
def test_a_contact_is_stored_whole(contact: Contact) -> None:
    assert Contact.from_text(NURSE, contact.to_text()) == contact


def test_an_item_says_what_is_pending_out_but_not_what_is_pending_in() -> None:
    contact = Contact(ROMEO, State.NONE_OUT_IN, "R", ("Friends",), listed=True)
    assert contact.item == Item(ROMEO, "R", "none", "subscribe", groups=("Friends",))
    assert Contact(ROMEO, State.FROM, approved=True, listed=True).item == Item(ROMEO, "", "from", approved=True)


def test_who_only_asks_is_no_item(roster: Roster) -> None:
    assert roster.put(Contact(ROMEO, State.NONE_IN, request="<presence/>"))
    assert (len(roster), roster.query().items) == (0, ())
    assert roster.requests == (roster.get(ROMEO),)


def test_nothing_is_kept_of_who_is_neither_listed_nor_asks(roster: Roster) -> None:
    roster.put(Contact(ROMEO, State.NONE_IN, request="<presence/>"))
    assert not roster.put(roster.get(ROMEO).moved(State.NONE))
    assert roster.contacts == ()


def test_a_request_goes_when_it_is_answered() -> None:
    contact = Contact(ROMEO, State.NONE_IN, request="<presence/>")
    assert contact.moved(State.NONE_OUT_IN).request == "<presence/>"
    assert contact.moved(State.FROM).request == ""


def test_the_version_names_what_the_roster_shows(roster: Roster) -> None:
    versions = [roster.version]
    for contact in (
        Contact(NURSE, listed=True),
        Contact(NURSE, name="Nurse", listed=True),
        Contact(NURSE, name="Nurse", groups=("Servants",), listed=True),
        Contact(NURSE, State.TO, "Nurse", ("Servants",), listed=True),
        Contact(NURSE, State.TO, "Nurse", ("Servants",), approved=True, listed=True),
        Contact(ROMEO, listed=True),
    ):
        roster.put(contact)
        versions.append(roster.version)
    assert len(set(versions)) == len(versions)
    roster.put(Contact(JID("paris@example.com"), State.NONE_IN, request="<presence/>"))
    roster.put(replace(roster.get(NURSE), state=State.TO_IN))
    assert roster.version == versions[-1]  # what isn't shown is no modification (§2.6.3)
    roster.clear()
    assert roster.version == versions[0]


def test_the_version_does_not_depend_on_the_order_of_changes() -> None:
    one, other = Roster(JULIET), Roster(JULIET)
    contacts = [Contact(NURSE, listed=True), Contact(ROMEO, State.BOTH, listed=True)]
    for contact in contacts:
        one.put(contact)
    for contact in reversed(contacts):
        other.put(contact)
    assert one.version == other.version


def test_the_version_of_a_changed_roster_is_that_of_one_that_was_loaded_so(roster: Roster) -> None:
    seen = {roster.version}
    for contact in (Contact(NURSE, listed=True), Contact(ROMEO, listed=True), Contact(NURSE, name="N", listed=True)):
        roster.put(contact)
        seen.add(roster.version)
    roster.put(Contact(ROMEO))  # taken out
    loaded = Roster(JULIET)
    loaded.put(roster.get(NURSE))
    assert roster.version == loaded.version
    assert roster.version not in seen


def test_a_change_of_a_large_roster_costs_as_much_as_that_of_a_small_one(
    roster: Roster, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(100):
        roster.put(Contact(JID(f"c{number}@example.com"), listed=True))
    before = roster.version
    read: list[Item] = []
    monkeypatch.setattr(Item, "to_json", lambda item: read.append(item) or {"name": item.name})
    roster.put(Contact(JID("c0@example.com"), name="Nurse", listed=True))
    assert roster.version != before
    assert len(read) == 2


def test_who_is_told_of_presence_and_whose_is_seen(roster: Roster) -> None:
    for local, state in (("a", State.FROM), ("b", State.BOTH), ("c", State.TO), ("d", State.NONE_OUT)):
        for domain in ("example.com", "example.net"):
            roster.put(Contact(JID(f"{local}@{domain}"), state, listed=True))
    assert [local for local, _, _ in roster.subscribers.local] == ["a", "b"]
    assert [str(jid) for jid in roster.subscribers.remote] == ["a@example.net", "b@example.net"]
    assert [str(jid) for _, _, jid in roster.contributors.local] == ["b@example.com", "c@example.com"]
    assert [str(jid) for jid in roster.contributors.remote] == ["b@example.net", "c@example.net"]
    roster.put(replace(roster.get(JID("a@example.com")), state=State.NONE))
    assert [local for local, _, _ in roster.subscribers.local] == ["b"]


def test_a_domain_is_no_local_account(roster: Roster) -> None:
    roster.put(Contact(JID("example.com"), State.FROM, listed=True))
    assert roster.subscribers.local == ()
    assert roster.subscribers.remote == (JID("example.com"),)


@pytest.mark.parametrize(
    ("state", "shown"), [(State.FROM, True), (State.BOTH, True), (State.TO_IN, False), (State.NONE_OUT_IN, False)]
)
def test_presence_is_for_subscribers(roster: Roster, state: State, shown: bool) -> None:
    roster.put(Contact(ROMEO, state, listed=True))
    assert roster.shares_with(ROMEO) is shown
    assert roster.shares_with(JID("romeo@example.net/orchard")) is shown
    assert not roster.shares_with(NURSE)
