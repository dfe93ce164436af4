"""Stanzas as they are shown."""

from __future__ import annotations

from chirrup.cli.console.checking import read
from chirrup.cli.console.pretty import show, visible


def shown(text: str) -> str:
    return show(read(text)[0]).plain


def test_children_are_indented_and_texts_are_not() -> None:
    query = "<query xmlns='jabber:iq:roster'><item jid='a@b' name='a &apos; b'><group>x &amp; y</group></item></query>"
    assert shown(f"<iq type='set'>{query}</iq>").splitlines() == [
        "<iq type='set'>",
        "  <query xmlns='jabber:iq:roster'>",
        "    <item jid='a@b' name='a &apos; b'>",
        "      <group>x &amp; y</group>",
        "    </item>",
        "  </query>",
        "</iq>",
    ]


def test_mixed_content_keeps_its_white_space() -> None:
    text = "<message xml:lang='en'><html xmlns='urn:x'>so <b>it</b> <i><u/></i> is</html></message>"
    assert shown(text).splitlines()[1] == "  <html xmlns='urn:x'>so <b>it</b> <i><u/></i> is</html>"
    assert "xml:lang='en'" in shown(text)


def test_nothing_in_a_stanza_rules_the_terminal() -> None:
    evil = "\x9b2J\x7f\u202ereversed"
    text = shown(f"<message id='{evil}'><body>{evil}</body></message>")
    assert not set(evil[:1] + "\x7f\u202e") & set(text)
    assert text.count("&#x9B;2J&#x7F;&#x202E;reversed") == 2
    assert visible("\x1b[2J") == "&#x1B;[2J"


def test_it_has_colours() -> None:
    assert {span.style for span in show(read("<message to='a@b'/>")[0]).spans} >= {"bold cyan", "green", "yellow"}
