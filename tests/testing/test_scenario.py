"""The script format: what it says, what it refuses, and when a stanza is the expected one."""

from __future__ import annotations

import pytest

from chirrup.testing.scenario import Memory, ScenarioError, elements, parse

SCRIPT = """\
# Romeo calls (RFC 6121 §8)
# and that is all

server
    [limits]
    resources_per_account = 2

romeo: romeo@localhost/orchard
mallory: raw

# Now it begins.
romeo connects
mallory opens
romeo sends
    <message to='juliet@localhost'>
      <body>Wherefore art thou?</body>
    </message>

mallory receives nothing
time passes 2.5
mallory is closed with connection-timeout
server stops
"""


def test_a_script_has_a_title_clients_settings_and_steps():
    scenario = parse(SCRIPT)
    assert scenario.title == "Romeo calls (RFC 6121 §8)"
    assert scenario.clients == {"romeo": "romeo@localhost/orchard", "mallory": "raw"}
    assert scenario.server == "[limits]\nresources_per_account = 2"
    assert [(step.line, step.client, step.action, step.argument) for step in scenario.steps] == [
        (12, "romeo", "connects", ""),
        (13, "mallory", "opens", ""),
        (14, "romeo", "sends", ""),
        (19, "mallory", "receives nothing", ""),
        (20, "", "time passes", "2.5"),
        (21, "mallory", "is closed with", "connection-timeout"),
        (22, "", "server stops", ""),
    ]
    sent = scenario.steps[2].text
    assert sent == "<message to='juliet@localhost'>\n  <body>Wherefore art thou?</body>\n</message>"


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("romeo dances", "'romeo dances' is no step"),
        ("tybalt connects", "nobody is called 'tybalt'"),
        ("romeo sends", "'sends' lacks a block"),
        ("romeo connects\n    <presence/>", "'connects' has no use for a block"),
        ("romeo is closed with", "'is closed with' is followed by 'nothing'"),
        ("romeo connects twice", "'connects' is followed by 'twice'"),
        ("romeo receives\n    <message><body>", "not whole elements: '<message><body>'"),
        ("romeo receives\n    <message></body>", "not-well-formed: mismatched tag"),
    ],
)
def test_a_line_that_makes_no_sense_is_refused(line, fault):
    with pytest.raises(ScenarioError) as caught:
        parse(f"romeo: romeo@localhost/orchard\n\n{line}\n")
    assert str(caught.value) == f"line 3: {fault}"


def difference(wanted: str, got: str, *, only: bool = False, memory: Memory | None = None) -> str:
    return (memory or Memory()).difference(elements(wanted)[0], elements(got)[0], only=only)


@pytest.mark.parametrize(
    ("wanted", "got"),
    [
        ("<message/>", "<message type='chat'><body>hi</body></message>"),
        ("<message type='chat'/>", "<message type='chat' id='1'/>"),
        ("<message id='*'/>", "<message id='any'/>"),
        ("<message><body>hi</body></message>", "<message><subject>s</subject><body> hi </body></message>"),
        ("<message><body>*</body></message>", "<message><body>anything</body></message>"),
        ("<iq><a xmlns='urn:a'/><b xmlns='urn:b'/></iq>", "<iq><b xmlns='urn:b'/><a xmlns='urn:a'/></iq>"),
        ("<iq><a xmlns='u' n='2'/><a xmlns='u'/></iq>", "<iq><a xmlns='u' n='1'/><a xmlns='u' n='2'/></iq>"),
        ("<message from='{x}' to='{x}'/>", "<message from='r@l' to='r@l'/>"),
    ],
)
def test_what_has_all_that_is_wanted_matches(wanted, got):
    assert difference(wanted, got) == ""


@pytest.mark.parametrize(
    ("wanted", "got", "reason"),
    [
        ("<message/>", "<iq/>", "<iq xmlns='jabber:client'/> instead of <message xmlns='jabber:client'/>"),
        ("<message xmlns='urn:x'/>", "<message/>", "<message xmlns='jabber:client'/> instead of"),
        ("<message type='chat'/>", "<message type='normal'/>", "<message/> has type='normal' instead of 'chat'"),
        ("<message type='chat'/>", "<message/>", "<message/> has type=None instead of 'chat'"),
        ("<message id='*'/>", "<message/>", "<message/> has id=None instead of '*'"),
        ("<message id='*'/>", "<message id=''/>", "<message/> has id='' instead of '*'"),
        ("<message><body>hi</body></message>", "<message><body>ho</body></message>", "<message/> lacks <body"),
        ("<message><body/></message>", "<message/>", "<message/> lacks <body"),
        ("<iq><a xmlns='u'/><a xmlns='u'/></iq>", "<iq><a xmlns='u'/></iq>", "<iq/> lacks <a"),
        ("<message from='{x}' to='{x}'/>", "<message from='r@l' to='j@l'/>", "<message/> has to='j@l'"),
    ],
)
def test_what_lacks_something_does_not(wanted, got, reason):
    assert difference(wanted, got).startswith(reason)


def test_only_means_nothing_else():
    assert difference("<message/>", "<message id='1' from='r@l' to='j@l'/>", only=True) == ""
    assert difference("<message/>", "<message type='chat'/>", only=True) == "<message/> has type too"
    assert "has <body" in difference("<message/>", "<message><body/></message>", only=True)
    inner = "<message><body/></message>", "<message><body><b xmlns='x'/></body></message>"
    assert difference(*inner) == ""
    assert difference(*inner, only=True)


def test_a_word_is_learned_once_and_used_in_what_is_sent():
    memory = Memory()
    assert difference("<iq id='{id}'/>", "<iq id='q7'/>", memory=memory) == ""
    assert difference("<iq id='{id}'/>", "<iq id='q8'/>", memory=memory) != ""
    assert memory.fill("<iq id='{id}' to='{nobody}'/>") == "<iq id='q7' to='{nobody}'/>"


def test_a_word_may_be_a_part_of_a_value():
    memory = Memory()
    (wanted,) = elements("<message><body>xmpp:{who}?roster;preauth={token};by={who}</body></message>")
    (got,) = elements("<message><body>xmpp:romeo@localhost?roster;preauth=a.b;by=romeo@localhost</body></message>")
    (another,) = elements("<message><body>xmpp:romeo@localhost?roster;preauth=a-b;by=romeo@localhost</body></message>")
    assert not memory.difference(wanted, got)
    assert memory.fill("{token} of {who}") == "a.b of romeo@localhost"
    assert memory.difference(wanted, another)


def test_nothing_is_learned_from_what_does_not_match():
    memory = Memory()
    assert difference("<iq id='{id}' type='get'/>", "<iq id='wrong' type='set'/>", memory=memory) != ""
    assert difference("<iq id='{id}'/>", "<iq id='right'/>", memory=memory) == ""


def test_a_child_that_does_not_fit_leaves_no_trace_in_the_search_for_one_that_does():
    wanted = "<iq><a xmlns='u' n='{n}' ok='yes'/></iq>"
    got = "<iq><a xmlns='u' n='1' ok='no'/><a xmlns='u' n='2' ok='yes'/></iq>"
    memory = Memory()
    assert difference(wanted, got, memory=memory) == ""
    assert memory.words == {"n": "2"}
