"""`chirrup import`, by what is in the store then and by what it says."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event

from chirrup.core.errors import StoreError
from chirrup.core.sasl import keys_match
from chirrup.core.values import format_datetime
from chirrup.store.message_rows import Range

Run = Callable[..., Any]
PIE = "urn:xmpp:pie:0"
JULIET = "juliet@capulet.com"
SHAKESPEARE = f"""<?xml version='1.0' encoding='UTF-8'?>
<server-data xmlns='{PIE}'>
  <host jid='capulet.com'>
    <user name='juliet'>
      <scram-credentials xmlns='{PIE}#scram' mechanism='SCRAM-SHA-1'>
        <iter-count>100000</iter-count>
        <salt>TmFDbE5hQ2xOYUNsTmFDbE5hQ2xOYUNsTmFDbE5hQ2xOYUNsTmFDbE5hQ2wK</salt>
        <server-key>0pXWGK0GZJ6TR73AIUN3ITYtA1g=</server-key>
        <stored-key>Q6qT/SbybblGCZz8e8eSfCJOQic=</stored-key>
      </scram-credentials>
      <query xmlns='jabber:iq:roster'>
        <item jid='romeo@montague.net' name='Romeo' subscription='both'><group>Friends</group></item>
      </query>
      <offline-messages>
        <message xmlns='jabber:client' from='romeo@montague.net/orchard' to='juliet@capulet.com/balcony' type='chat'>
          <body>Neither, fair saint, if either thee dislike.</body>
          <delay xmlns='urn:xmpp:delay' from='capulet.com' stamp='1469-07-21T00:32:29Z'>
            Offline Storage
          </delay>
        </message>
      </offline-messages>
      <query xmlns='jabber:iq:private'><exodus xmlns='exodus:prefs'><defaultnick>Hamlet</defaultnick></exodus></query>
      <vCard xmlns='vcard-temp'><FN>Juliet Capulet</FN></vCard>
      <query xmlns='jabber:iq:privacy'>
        <default name='public'/>
        <list name='public'>
          <item type='jid' value='tybalt@example.com' action='deny' order='1'/>
          <item action='allow' order='2'/>
        </list>
        <list name='private'>
          <item type='subscription' value='both' action='allow' order='10'/>
          <item action='deny' order='15'/>
        </list>
      </query>
      <presence xmlns='jabber:client' type='subscribe' id='xk3h1v69' from='romeo@montague.net'>
        <nick xmlns="http://jabber.org/protocol/nick">Romeo</nick>
      </presence>
      <presence xmlns='jabber:client' type='subscribe' from='mercutio@montague.net'/>
      <pubsub xmlns='http://jabber.org/protocol/pubsub#owner'>
        <configure node='urn:xmpp:bookmarks:1'>
          <x xmlns='jabber:x:data' type='form'>
            <field var='FORM_TYPE' type='hidden'>
              <value>http://jabber.org/protocol/pubsub#node_config</value>
            </field>
            <field var='pubsub#access_model'><value>whitelist</value></field>
          </x>
        </configure>
        <affiliations node='urn:xmpp:bookmarks:1'>
          <affiliation jid='mercutio@example.net' affiliation='member'/>
        </affiliations>
        <subscriptions node='urn:xmpp:bookmarks:1'>
          <subscription jid='mercutio@example.net' subscription='subscribed' subid='123-abc'/>
        </subscriptions>
        <configure node='http://jabber.org/protocol/nick'>
          <x xmlns='jabber:x:data' type='form'>
            <field var='FORM_TYPE' type='hidden'>
              <value>http://jabber.org/protocol/pubsub#node_config</value>
            </field>
            <field var='pubsub#access_model'><value>open</value></field>
          </x>
        </configure>
      </pubsub>
      <pubsub xmlns='http://jabber.org/protocol/pubsub'>
        <items node='urn:xmpp:bookmarks:1'>
          <item id='theplay@conference.shakespeare.lit'>
            <conference xmlns='urn:xmpp:bookmarks:1' name='The Play&apos;s the Thing' autojoin='true'>
              <nick>Romeo</nick>
            </conference>
          </item>
          <item id='orchard@conference.shakespeare.lit'>
            <conference xmlns='urn:xmpp:bookmarks:1' name='The Orchard' autojoin='1'><nick>Romeo</nick></conference>
          </item>
        </items>
        <items node='http://jabber.org/protocol/nick'>
          <item id='current'><nick xmlns='http://jabber.org/protocol/nick'>Romy</nick></item>
        </items>
      </pubsub>
      <archive xmlns='{PIE}#mam'>
        <result xmlns='urn:xmpp:mam:2' id='28482-98726-73623'>
          <forwarded xmlns='urn:xmpp:forward:0'>
            <delay xmlns='urn:xmpp:delay' stamp='2010-07-10T23:08:25Z'/>
            <message xmlns='jabber:client' to='juliet@capulet.com/balcony' from='romeo@montague.lit/orchard'>
              <body>Call me but love</body>
            </message>
          </forwarded>
        </result>
        <result xmlns='urn:xmpp:mam:2' id='5d398-28273-f7382'>
          <forwarded xmlns='urn:xmpp:forward:0'>
            <delay xmlns='urn:xmpp:delay' stamp='2010-07-10T23:09:32Z'/>
            <message xmlns='jabber:client' to='romeo@montague.lit/orchard' from='juliet@capulet.com/balcony'>
              <body>What man art thou?</body>
            </message>
          </forwarded>
        </result>
      </archive>
    </user>
  </host>
</server-data>
"""


def file(inside: str, *, host: str = "capulet.com", name: str = "accounts.xml") -> str:
    Path(name).write_text(f"<server-data xmlns='{PIE}'><host jid='{host}'>{inside}</host></server-data>")
    return name


def test_everything_that_the_xep_has_an_example_of(chirrup: Run, stored: Any) -> None:
    Path("shakespeare.xml").write_text(SHAKESPEARE)
    ran = chirrup("import", "shakespeare.xml")
    assert ran.status == 0, ran.err
    (keys,) = stored(lambda store: store.accounts.keys("capulet.com", "juliet")).values()
    assert (keys.algorithm, keys.iterations, len(keys.salt)) == ("SHA-1", 100_000, 45)
    roster = stored(lambda store: store.map("roster").all(JULIET))
    assert json.loads(roster["romeo@montague.net"]) == {
        "state": "both", "name": "Romeo", "groups": ["Friends"], "listed": True,
    }  # fmt: skip
    assert json.loads(roster["mercutio@montague.net"])["state"] == "none+in"
    (waiting,) = stored(lambda store: store.messages.waiting(JULIET, limit=10))
    assert "Neither, fair saint" in waiting.value and "delay" not in waiting.value
    assert 0 < waiting.id < 2_000_000  # there are no ids before 1970
    assert list(stored(lambda store: store.map("private").all(JULIET))) == ["{exodus:prefs}exodus"]
    assert "Juliet Capulet" in stored(lambda store: store.value("vcard").get(JULIET))
    assert list(stored(lambda store: store.map("blocked").all(JULIET))) == ["tybalt@example.com"]
    nick, bookmarks = stored(lambda store: store.pubsub.nodes(JULIET))
    assert json.loads(nick.config) == {"access_model": "open"}
    assert json.loads(bookmarks.config) == {"access_model": "whitelist", "max_items": None}
    assert bookmarks.affiliations == {"mercutio@example.net": "member"}
    assert [(one.jid, one.state) for one in bookmarks.subscriptions] == [("mercutio@example.net", "subscribed")]
    items = stored(lambda store: store.pubsub.newest(JULIET, "urn:xmpp:bookmarks:1", 10))
    assert [one.item.partition("@")[0] for one in items] == ["theplay", "orchard"]
    first, second = stored(lambda store: store.messages.page(JULIET, Range(), limit=10))
    assert (first.peer, first.resource, second.peer) == ("romeo@montague.lit", "orchard", "romeo@montague.lit")
    assert "Call me but love" in first.value and not first.waiting
    assert ran.err == (
        "chirrup: shakespeare.xml:24: privacy lists that aren't the default one can't be kept here, and is left out "
        "wherever it is\n"
    )


def test_again_changes_nothing(chirrup: Run, stored: Any) -> None:
    Path("shakespeare.xml").write_text(SHAKESPEARE)
    chirrup("import", "shakespeare.xml")
    chirrup("export", "before.xml")
    again = chirrup("import", "shakespeare.xml")
    assert again.status == 0
    counts = [line.split() for line in again.out.splitlines() if " imported" in line]
    assert counts and all(words[0] == "0" for words in counts)
    chirrup("export", "after.xml")
    assert Path("before.xml").read_text() == Path("after.xml").read_text()


def test_a_trial_stores_nothing(chirrup: Run, stored: Any) -> None:
    Path("shakespeare.xml").write_text(SHAKESPEARE)
    ran = chirrup("import", "shakespeare.xml", "--dry-run")
    assert "        1 accounts would be imported\n" in ran.out and "2 archived messages would be imported" in ran.out
    assert stored(lambda store: store.accounts.names("capulet.com")) == []


def test_a_trial_counts_what_is_here_already(chirrup: Run, stored: Any) -> None:
    Path("shakespeare.xml").write_text(SHAKESPEARE)
    chirrup("import", "shakespeare.xml")
    chirrup("export", "before.xml")
    imported = chirrup("import", "shakespeare.xml")
    tried = chirrup("import", "shakespeare.xml", "--dry-run")
    assert (tried.status, tried.out.replace(" would be imported", " imported")) == (0, imported.out)
    new = file(f"<user name='juliet'><query xmlns='jabber:iq:private'><new xmlns='x'>b</new></query>{card('J')}</user>")
    tried = chirrup("import", new, "--dry-run")
    assert "1 private elements would be imported\n" in tried.out
    chirrup("export", "after.xml")
    assert Path("before.xml").read_text() == Path("after.xml").read_text()


def test_a_trial_of_what_is_made_anew_counts_all(chirrup: Run) -> None:
    Path("shakespeare.xml").write_text(SHAKESPEARE)
    chirrup("import", "shakespeare.xml")
    tried = chirrup("import", "shakespeare.xml", "--dry-run", "--replace")
    assert "1 accounts would be imported" in tried.out and "here already" not in tried.out


def card(name: str) -> str:
    return f"<vCard xmlns='vcard-temp'><FN>{name}</FN></vCard>"


def test_accounts_that_exist_get_what_they_lack(chirrup: Run, stored: Any) -> None:
    chirrup("user", "add", JULIET, stdin="her own\n")
    ran = chirrup("import", file(f"<user name='juliet' password='another'>{card('First')}</user>"))
    assert "0 accounts imported, 1 were here already" in ran.out
    chirrup("import", file(f"<user name='juliet'>{card('Second')}</user>"))
    assert "First" in stored(lambda store: store.value("vcard").get(JULIET))
    assert all(keys_match(each, "her own") for each in keys_of(stored).values())


def test_accounts_that_exist_stay_as_they_are(chirrup: Run, stored: Any) -> None:
    chirrup("user", "add", JULIET, stdin="her own\n")
    inside = f"<user name='juliet'>{card('No')}</user><user name='nurse' password='p'>{card('Yes')}</user>"
    ran = chirrup("import", file(inside), "--skip-existing")
    assert (ran.status, "1 accounts left as they are" in ran.out) == (0, True)
    assert stored(lambda store: store.value("vcard").get(JULIET)) is None
    assert "Yes" in stored(lambda store: store.value("vcard").get("nurse@capulet.com"))


def test_accounts_that_exist_are_made_anew(chirrup: Run, stored: Any) -> None:
    chirrup("import", file(f"<user name='juliet' password='old'>{card('Old')}</user>"))
    private = "<query xmlns='jabber:iq:private'><a xmlns='x'>b</a></query>"
    chirrup("import", file(f"<user name='juliet' password='new'>{private}</user>"), "--replace")
    assert stored(lambda store: store.value("vcard").get(JULIET)) is None
    assert all(keys_match(each, "new") for each in keys_of(stored).values())
    assert chirrup("import", file(""), "--replace", "--skip-existing").status == 2


@pytest.fixture
def commits() -> Iterator[list[None]]:
    """One for each transaction that was committed."""
    made: list[None] = []

    def note(_connection: Connection) -> None:
        made.append(None)

    event.listen(Engine, "commit", note)
    yield made
    event.remove(Engine, "commit", note)


def keys_of(stored: Any, local: str = "juliet") -> Any:
    return stored(lambda store: store.accounts.keys("capulet.com", local))


def test_what_was_cut_off_is_gone_on_with(chirrup: Run, stored: Any) -> None:
    """An account that is half there isn't one that exists and is to stay as it is."""
    Path("whole.xml").write_text(SHAKESPEARE)
    Path("half.xml").write_text(SHAKESPEARE[: SHAKESPEARE.index("<vCard")])
    cut = chirrup("import", "half.xml", "--skip-existing")
    assert cut.status == 1 and "half.xml:23: it is no XML: it ends too early" in cut.err
    assert stored(lambda store: store.messages.waiting(JULIET, limit=10)) == []
    ran = chirrup("import", "whole.xml", "--skip-existing")
    assert ran.status == 0 and "1 waiting messages imported" in ran.out and "1 contacts imported" not in ran.out
    assert stored(lambda store: store.value("vcard").get(JULIET)) is not None
    assert "1 accounts left as they are" in chirrup("import", "whole.xml", "--skip-existing").out


def test_many_accounts_share_a_transaction(chirrup: Run, stored: Any, commits: list[None]) -> None:
    users = [
        f"<user name='u{number}'><vCard xmlns='vcard-temp'><FN>{number}</FN></vCard></user>" for number in range(90)
    ]
    chirrup("import", file(users[0]))
    begun = len(commits)
    assert "89 accounts imported, 1 were here already" in chirrup("import", file("".join(users))).out
    assert len(commits) - begun < 5
    assert len(stored(lambda store: store.accounts.names("capulet.com"))) == 90
    assert stored(lambda store: store.value("unfinished_import").get("u42@capulet.com")) is None


def test_what_is_large_is_stored_in_pieces(chirrup: Run, stored: Any, commits: list[None]) -> None:
    """So that a server that runs meanwhile isn't held up, and memory not filled."""
    card = f"<vCard xmlns='vcard-temp'><FN>{'x' * 500_000}</FN></vCard>"
    ran = chirrup("import", file("".join(f"<user name='u{number}'>{card}</user>" for number in range(8))))
    assert ran.status == 0 and "8 vCards imported" in ran.out
    assert len(commits) > 4


def test_an_account_that_comes_twice(chirrup: Run, stored: Any) -> None:
    card, other = (f"<vCard xmlns='vcard-temp'><FN>{name}</FN></vCard>" for name in "ab")
    private = "<query xmlns='jabber:iq:private'><a xmlns='b'>c</a></query>"
    twice = (
        f"<user name='juliet' password='secret'>{card}</user><user name='juliet' password='x'>{other}{private}</user>"
    )
    ran = chirrup("import", file(twice))
    assert "1 accounts imported, 1 were here already" in ran.out and "1 private elements imported" in ran.out
    assert "<FN>a</FN>" in stored(lambda store: store.value("vcard").get(JULIET))
    assert all(keys_match(each, "secret") for each in keys_of(stored).values())


@pytest.mark.parametrize(
    ("inside", "problem"),
    [
        ("<user name='a b' password='p'/>", "accounts.xml:1: "),
        ("<user name='juliet' password=''>no</user>", ""),
        (f"<user name='juliet'><scram-credentials xmlns='{PIE}#scram' mechanism='SCRAM-SHA-1'/></user>", "iteration"),
        ("<user name='juliet' password='&#10;'/>", "it can't log in until chirrup user passwd"),
        (
            "<user name='juliet'><query xmlns='jabber:iq:roster'><item/></query></user>",
            "juliet@capulet.com: contact ''",
        ),
        (
            "<user name='juliet'><query xmlns='jabber:iq:roster'><item jid='a@b' subscription='x'/></query></user>",
            "contact 'a@b'",
        ),
        ("<user name='juliet'><presence xmlns='jabber:client' type='subscribe'/></user>", "a subscription request"),
        (
            f"<user name='juliet'><archive xmlns='{PIE}#mam'><result xmlns='urn:xmpp:mam:2'/></archive></user>",
            "<result",
        ),
        ("<user name='juliet'><offline-messages><iq xmlns='jabber:client'/></offline-messages></user>", "no message"),
        (
            "<user name='juliet'><offline-messages><message xmlns='jabber:client' from='@'/></offline-messages></user>",
            "a message: ",
        ),
        (
            "<user name='juliet'><pubsub xmlns='http://jabber.org/protocol/pubsub'><items/></pubsub></user>",
            "which node",
        ),
        ("<user name='juliet'><query xmlns='jabber:iq:private'><item>x</item></query></user>", "namespace of its own"),
    ],
)
def test_problems_are_told_and_the_rest_goes_on(chirrup: Run, stored: Any, inside: str, problem: str) -> None:
    ran = chirrup("import", file(f"{inside}<user name='nurse' password='p'>{card('Nurse')}</user>"))
    assert ran.status == (1 if problem else 0)
    assert problem in ran.err and "Traceback" not in ran.err
    assert "Nurse" in stored(lambda store: store.value("vcard").get("nurse@capulet.com"))
    if problem:
        assert "1 problems" in ran.out
        stopped = chirrup("import", file(f"{inside}<user name='late' password='p'/>"), "--stop-on-error", "--replace")
        assert stopped.status == 1 and "stopped at the first problem" in stopped.err
        assert stored(lambda store: store.accounts.names("capulet.com", after="k")) in (["nurse"], ["juliet", "nurse"])


@pytest.mark.parametrize("host", ["elsewhere.org", "guests.net", "", "a@b@c"])
def test_hosts_that_are_not_served(chirrup: Run, host: str) -> None:
    ran = chirrup("import", file("<user name='juliet' password='p'/>", host=host))
    assert ran.status == 1 and "accounts.xml:1: " in ran.err and "accounts imported" not in ran.out
    assert f"        1 times left out: accounts of {host}\n" in ran.out


def test_a_waiting_message_that_cannot_be_is_told_where_it_stands(chirrup: Run) -> None:
    message = "\n<message xmlns='jabber:client' from='{}'/>\n"
    inside = f"<user name='juliet'><offline-messages>{message.format('a@b')}{message.format('@')}</offline-messages>"
    ran = chirrup("import", file(f"{inside}\n\n</user>"))
    assert "accounts.xml:4: juliet@capulet.com: <message xmlns='jabber:client'/>: a message: " in ran.err
    assert "1 waiting messages imported" in ran.out


def test_what_nodes_cannot_have_is_told(chirrup: Run) -> None:
    ns = "http://jabber.org/protocol/pubsub"
    owner = (
        f"<pubsub xmlns='{ns}#owner'><configure node='n'/><affiliations node='n'>"
        "<affiliation jid='a@b' affiliation='friend'/><affiliation jid='c@d' affiliation='none'/></affiliations>"
        "<subscriptions node='n'><subscription jid='a@b' subscription='unconfigured'/></subscriptions></pubsub>"
    )
    items = f"<pubsub xmlns='{ns}'><items node='n'><item id='i' publisher='@'/></items></pubsub>"
    ran = chirrup("import", file(f"<user name='juliet'>{owner}{items}</user>"))
    assert "1 times left out: the affiliation 'friend' with nodes" in ran.out
    assert "1 times left out: the subscription 'unconfigured' to nodes" in ran.out
    assert "'@', who published the item 'i' of 'n', is no address; it is taken for the account's own" in ran.err


def test_what_has_no_place_is_told_once(chirrup: Run) -> None:
    user = "<user name='{}'><last xmlns='jabber:iq:last' seconds='5'/></user>"
    ran = chirrup("import", file(user.format("juliet") + user.format("nurse")))
    assert ran.status == 0 and ran.err.count("<last xmlns='jabber:iq:last'/>") == 1
    assert "2 times left out: <last xmlns='jabber:iq:last'/>" in ran.out


def test_modules_that_are_off_have_no_place(chirrup: Run, configured: Path) -> None:
    config = configured / "chirrup.toml"
    config.write_text(config.read_text().replace('["capulet.com"]', "").replace(
        '[hosts."capulet.com"]', '[hosts."capulet.com"]\nmodules_disabled = ["vcard", "avatar"]'
    ))  # fmt: skip
    ran = chirrup("import", file(f"<user name='juliet'>{card('x')}</user>"))
    assert "times left out: <vCard xmlns='vcard-temp'/>" in ran.out


def test_nodes_that_nobody_configured_are_for_their_owner(chirrup: Run, stored: Any) -> None:
    ns = "http://jabber.org/protocol/pubsub"
    items = f"<pubsub xmlns='{ns}'><items node='n'><item><a xmlns='x'/></item><item id='i'/></items></pubsub>"
    form = "<x xmlns='jabber:x:data' type='submit'><field var='pubsub#access_model'><value>{}</value></field></x>"
    owner = f"<pubsub xmlns='{ns}#owner'><configure node='n'>{form}</configure></pubsub>"
    chirrup(
        "import", file(f"<user name='juliet'>{items}</user><user name='nurse'>{items}{owner.format('open')}</user>")
    )
    ran = chirrup("import", file(f"<user name='romeo'>{owner.format('martians')}{items}</user>"))
    assert "martians" in ran.err
    models = [
        json.loads(stored(lambda store, name=name: store.pubsub.nodes(f"{name}@capulet.com"))[0].config)["access_model"]
        for name in ("juliet", "nurse", "romeo")
    ]
    assert models == ["whitelist", "open", "whitelist"]


def test_nodes_keep_all_that_comes(chirrup: Run, stored: Any) -> None:
    """Whether or not somebody has said how many: the next item would put the others out."""
    ns = "http://jabber.org/protocol/pubsub"
    item = "<item id='{}'><a xmlns='x'/></item>"
    items = f"<items node='several'>{item.format(1)}{item.format(2)}</items><items node='one'>{item.format(1)}</items>"
    ran = chirrup("import", file(f"<user name='juliet'><pubsub xmlns='{ns}'>{items}</pubsub></user>"))
    assert ran.status == 0, ran.err
    nodes = stored(lambda store: store.pubsub.nodes("juliet@capulet.com"))
    assert {one.node: json.loads(one.config).get("max_items", 1) for one in nodes} == {"several": None, "one": 1}


def test_times_that_cannot_be(chirrup: Run, stored: Any) -> None:
    """Messages from the future would come after all that follow; those of one second stay in their order."""
    stamps = ["2010-01-01T00:00:00Z"] * 3 + ["9999-01-01T00:00:00Z"]
    results = "".join(
        f"<result xmlns='urn:xmpp:mam:2' id='{number}'><forwarded xmlns='urn:xmpp:forward:0'><delay "
        f"xmlns='urn:xmpp:delay' stamp='{stamp}'/><message xmlns='jabber:client'><body>hi {number % 2}</body></message>"
        "</forwarded></result>"
        for number, stamp in enumerate(stamps)
    )
    archive = f"<archive xmlns='{PIE}#mam'>{results}</archive>"
    source = file(f"<user name='juliet'>{archive}</user><user name='nurse'>{archive}</user>")
    assert "8 archived messages imported" in chirrup("import", source).out
    ids = []
    for name in ("juliet", "nurse"):
        found = stored(lambda store, name=name: store.messages.page(f"{name}@capulet.com", Range(), limit=9))
        assert ["hi 1" in one.value for one in found] == [False, True, False, True]
        ids += [one.id for one in found]
    assert len(set(ids)) == 8
    assert stored(lambda store: store.messages.page(JULIET, Range(after=4_000_000_000_000_000), limit=9)) == []
    assert stored(lambda store: store.messages.index(JULIET))


def test_messages_of_this_second_keep_their_time(chirrup: Run, stored: Any) -> None:
    """One that only has a second is put somewhere within it, which may not have come yet when it is moved on."""
    moment = int((time.time() + 0.9) * 1_000_000)
    stamp = format_datetime(datetime.fromtimestamp(moment // 1_000_000, UTC).replace(microsecond=moment % 1_000_000))
    delay = f"<delay xmlns='urn:xmpp:delay' from='capulet.com' stamp='{stamp}'/>"
    archived, waiting = [f"<message xmlns='jabber:client'><body>{words}</body>" for words in ("archived", "waiting")]
    source = file(
        f"<user name='juliet'><archive xmlns='{PIE}#mam'><result xmlns='urn:xmpp:mam:2' id='1'><forwarded "
        f"xmlns='urn:xmpp:forward:0'>{delay}{archived}</message></forwarded></result></archive></user>"
        f"<user name='nurse'><offline-messages>{waiting}{delay}</message></offline-messages></user>"
    )
    assert chirrup("import", source).status == 0
    assert [one.id for one in stored(lambda store: store.messages.page(JULIET, Range(), limit=9))] == [moment]
    assert [one.id for one in stored(lambda store: store.messages.waiting("nurse@capulet.com", limit=9))] == [moment]


def test_a_store_that_fails(chirrup: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is told that there were no problems."""

    async def full(_: object) -> None:
        raise StoreError("the disk is full")

    source = file("<user name='juliet' password='x'/>")
    with monkeypatch.context() as patch:
        patch.setattr("chirrup.cli.transfer.importing._User.finish", full)
        ran = chirrup("import", source)
    assert (ran.status, ran.err.splitlines()[-1]) == (1, "chirrup: the disk is full")
    assert ran.out.splitlines() == ["        1 accounts imported", "          not completed: run it again"]
    assert chirrup("import", source).out.splitlines()[-1] == "          no problems"


def test_sources_that_are_none(chirrup: Run) -> None:
    Path("empty").mkdir()
    Path("several").mkdir()
    for name in ("a.xml", "b.xml"):
        file("", name=f"several/{name}")
    ran = chirrup("import", "empty")
    assert "there is no such thing" in ran.err and ran.out == ""
    assert "several/a.xml, several/b.xml" in chirrup("import", "several").err
    assert "missing.xml: No such file" in chirrup("import", "missing.xml").err
    assert "'csv' is no format" in chirrup("import", "empty", "--format", "csv").err
    assert "should be Prosody's data folder" in chirrup("import", "several/a.xml", "--format", "prosody").err
