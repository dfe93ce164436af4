from __future__ import annotations

import io
from pathlib import Path

import pytest

from chirrup.cli.transfer.documents import Documents
from chirrup.cli.transfer.events import Child, Event, HostBegins, Problem, Unreadable, UserBegins, UserEnds
from chirrup.core.values import parse_element

PIE = "urn:xmpp:pie:0"
XI = "xmlns:xi='http://www.w3.org/2001/XInclude'"
OFFLINE = ("offline-messages", PIE)


def read(text: str | None = None, file: str = "main.xml") -> list[Event]:
    if text is not None:
        Path(file).write_text(text)
    return list(Documents(Path(file), {OFFLINE}))


def shown(events: list[Event]) -> list[str]:
    """What each event is about, in a word."""
    found = []
    for event in events:
        match event:
            case HostBegins():
                found.append(f"host {event.jid}")
            case UserBegins():
                found.append(f"user {event.name}")
            case Child():
                found.append(f"{'in ' + event.within[0] + ' ' if event.within else ''}{event.element.name}")
            case UserEnds():
                found.append("end")
            case Problem():
                found.append(f"{event.place}: {event.text}")
    return found


def data(inside: str) -> str:
    user = f"<user name='juliet'>{inside}</user>"
    return f"<server-data xmlns='{PIE}' {XI}><host jid='capulet.com'>{user}</host></server-data>"


def test_hosts_users_and_what_they_have() -> None:
    events = read(
        "<?xml version='1.0' encoding='UTF-8'?>\n"
        f"<server-data xmlns='{PIE}'>\n  <host jid='capulet.com'>\n    <user name='juliet' password='s3crEt'>\n"
        "      <vCard xmlns='vcard-temp'><FN>Juliet Capulet</FN></vCard>\n      <!-- nothing -->\n"
        "      <offline-messages> <message xmlns='jabber:client' from='romeo@montague.net'><body>O</body></message>\n"
        "        <message xmlns='jabber:client'/></offline-messages>\n      <other xmlns='x:y'/>\n"
        "    </user>\n  </host>\n  <host jid='montague.net'><user name='romeo'/></host>\n</server-data>"
    )
    assert shown(events) == [
        "host capulet.com", "user juliet", "vCard", "in offline-messages message", "in offline-messages message",
        "other", "end", "host montague.net", "user romeo", "end",
    ]  # fmt: skip
    assert isinstance(events[1], UserBegins) and events[1].password == "s3crEt"
    assert isinstance(events[2], Child) and str(events[2].place) == "main.xml:5"
    assert events[2].element == parse_element("<vCard xmlns='vcard-temp'><FN>Juliet Capulet</FN></vCard>")


def test_the_files_of_the_xep_split_as_it_says(tmp_path: Path) -> None:
    (tmp_path / "capulet.com").mkdir()
    Path("capulet.com.xml").write_text(
        f"<host xmlns='{PIE}' {XI} jid='capulet.com'>"
        "<xi:include href='capulet.com/juliet.xml'/><xi:include href='capulet.com/mercutio%20jr.xml'/></host>"
    )
    Path("capulet.com/juliet.xml").write_text(
        f"<user xmlns='{PIE}' {XI} name='juliet'><xi:include href='card.xml'/><xi:include href='waits.xml'/></user>"
    )
    Path("capulet.com/card.xml").write_text("<vCard xmlns='vcard-temp'/>")
    Path("capulet.com/waits.xml").write_text(
        f"<offline-messages xmlns='{PIE}'><message xmlns='jabber:client'/></offline-messages>"
    )
    Path("capulet.com/mercutio jr.xml").write_text(f"<user xmlns='{PIE}' name='mercutio'/>")
    events = read(f"<server-data xmlns='{PIE}' {XI}><xi:include href='capulet.com.xml'/></server-data>")
    assert shown(events) == [
        "host capulet.com", "user juliet", "vCard", "in offline-messages message", "end", "user mercutio", "end",
    ]  # fmt: skip


def test_a_document_of_one_host() -> None:
    assert shown(read(f"<host xmlns='{PIE}' jid='capulet.com'><user name='juliet'/></host>")) == [
        "host capulet.com", "user juliet", "end",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "href",
    [
        "/etc/passwd", "../secret.xml", "inner/../../secret.xml", "%2e%2e/secret.xml", "file:///etc/passwd",
        "http://example.org/x.xml", "//example.org/x.xml", "link.xml", "missing.xml", "main.xml", ".", "", "a%00b",
    ],
)  # fmt: skip
def test_files_elsewhere_are_not_included(href: str, elsewhere: Path) -> None:
    folder = elsewhere / "folder"
    (folder / "inner").mkdir(parents=True)
    (elsewhere / "secret.xml").write_text("<vCard xmlns='vcard-temp'/>")
    (folder / "link.xml").symlink_to(elsewhere / "secret.xml")
    events = read(data(f"<xi:include href='{href}'/><last xmlns='x'/>"), "folder/main.xml")
    _, _, problem, last, end = shown(events)
    assert "included" in problem and problem.startswith("folder/main.xml:1: ")
    assert (last, end) == ("last", "end")


@pytest.mark.parametrize("attributes", ["parse='text' href='card.xml'", "xpointer='x' href='card.xml'"])
def test_only_whole_documents_are_included(attributes: str) -> None:
    Path("card.xml").write_text("<vCard xmlns='vcard-temp'/>")
    assert "only whole XML documents" in shown(read(data(f"<xi:include {attributes}/>")))[2]


def test_what_accounts_keep_is_not_looked_into() -> None:
    events = read(data("<query xmlns='jabber:iq:private'><xi:include href='/etc/passwd'/></query>"))
    assert isinstance(events[2], Child)
    assert events[2].element.first is not None and events[2].element.first.name == "include"


def test_documents_that_include_each_other_end() -> None:
    Path("a.xml").write_text(f"<host xmlns='{PIE}' {XI} jid='capulet.com'><xi:include href='b.xml'/></host>")
    Path("b.xml").write_text(f"<user xmlns='{PIE}' {XI} name='juliet'><xi:include href='a.xml'/></user>")
    events = shown(read(f"<server-data xmlns='{PIE}' {XI}><xi:include href='a.xml'/></server-data>"))
    assert [word for word in events if "included already" in word]


def test_a_file_that_is_broken_does_not_end_the_others() -> None:
    Path("a.xml").write_text(f"<host xmlns='{PIE}' jid='capulet.com'><user name='juliet'><broken</user></host>")
    Path("b.xml").write_text(f"<host xmlns='{PIE}' jid='montague.net'><user name='romeo'/></host>")
    inside = "<xi:include href='a.xml'/><xi:include href='b.xml'/>"
    events = shown(read(f"<server-data xmlns='{PIE}' {XI}>{inside}</server-data>"))
    assert events[:2] == ["host capulet.com", "user juliet"]
    assert "/a.xml:1: it is no XML" in events[2]
    assert events[3:] == ["host montague.net", "user romeo", "end"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("<!DOCTYPE x [<!ENTITY a 'b'>]>" + data("<x>&a;</x>"), "document types and entities are refused"),
        (f"<!DOCTYPE x SYSTEM 'file:///etc/passwd'>{data('')}", "document types and entities are refused"),
        (data("<x>&unknown;</x>"), "undefined entity"),
        ("<other/>", "it begins with <other xmlns=''>, not <server-data"),
        ("", "it is empty"),
        (data("")[:-5], "no XML"),
        (data("<a xmlns='x'>" * 300), "more than 200 deep"),
    ],
)
def test_what_cannot_be_read(text: str, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        read(text)


def test_an_element_has_a_largest_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chirrup.cli.transfer.documents._MOST_ELEMENT", 100_000)
    many = "<message xmlns='jabber:client'><body>Hello</body></message>" * 5_000
    assert len(read(data(f"<offline-messages>{many}</offline-messages>"))) == 5_003
    with pytest.raises(Unreadable, match="more than 100000 octets"):
        read(data(f"<vCard xmlns='vcard-temp'>{'<FN>x</FN>' * 100_000}</vCard>"))


def test_an_element_has_no_end_of_others_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chirrup.cli.transfer.documents._MOST_ELEMENTS", 1000)
    assert len(read(data(f"<vCard xmlns='vcard-temp'>{'<a/>' * 999}</vCard>" * 3))) == 6
    with pytest.raises(Unreadable, match="more than 1000 others in it"):
        read(data(f"<vCard xmlns='vcard-temp'>{'<a/>' * 1000}</vCard>"))


@pytest.mark.parametrize("endless", ["<vCard x='{}'/>", "<!--{}-->", "<?x {}?>", "<vCard><a>{}</a></vCard>"])
def test_a_tag_has_an_end(monkeypatch: pytest.MonkeyPatch, endless: str) -> None:
    """Or each part of it that is read would be looked at again and again. Text comes in pieces."""
    monkeypatch.setattr("chirrup.cli.transfer.documents._MOST_TAG", 200_000)
    text = data(endless.format("x" * 500_000))
    if "<a>" in endless:
        assert len(read(text)) == 4
        return
    with pytest.raises(Unreadable, match="a tag or comment has more than 200000 octets"):
        read(text)


def test_unknown_elements_between_accounts_are_told() -> None:
    text = (
        f"<server-data xmlns='{PIE}'><rooms xmlns='x'><user name='no'/></rooms><host jid='capulet.com'/></server-data>"
    )
    assert shown(read(text)) == ["main.xml:1: <rooms xmlns='x'/> is unknown here, and left out", "host capulet.com"]


def test_a_disk_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read before counts."""

    class Failing(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if found := super().read(size):
                return found
            raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "open", lambda path, mode: Failing(data("").encode()[:-20]))
    events = iter(Documents(Path("main.xml"), ()))
    assert type(next(events)) is HostBegins
    with pytest.raises(Unreadable, match=r"main\.xml: Input/output error"):
        list(events)


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(Unreadable, match=r"main\.xml: No such file"):
        read()
