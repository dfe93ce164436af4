"""What is left of what people send, and of what they send to do harm."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from chirrup.core.values import parse_element
from chirrup.ext.xhtml.payloads import Html
from chirrup.ext.xhtml.safe import DEEPEST


def html(inside: str) -> Html:
    return Html.parse(
        parse_element(
            "<html xmlns='http://jabber.org/protocol/xhtml-im'>"
            f"<body xmlns='http://www.w3.org/1999/xhtml'>{inside}</body></html>"
        )
    )


def test_the_examples() -> None:
    """XEP-0071 §9."""
    wow = html(
        "<p style='font-size:large'><em>Wow</em>, I&apos;m <span style='color:green'>green</span> with envy!</p>"
    )
    assert wow.to_html() == (
        '<p style="font-size: large"><em>Wow</em>, I&#x27;m <span style="color: green">green</span> with envy!</p>'
    )
    assert wow.to_text() == "Wow, I'm green with envy!"
    quoted = html(
        "<p>As Emerson said in his essay <cite style='font-style: italic'>Self-Reliance</cite>:</p>"
        "<blockquote>&quot;A foolish consistency is the hobgoblin of little minds.&quot;</blockquote>"
    )
    assert quoted.to_text() == (
        'As Emerson said in his essay Self-Reliance:\n"A foolish consistency is the hobgoblin of little minds."'
    )
    picture = html("<p>Hey, are you licensed to <a href='http://www.jabber.org/'>Jabber</a>?</p>"
                   "<img src='http://www.xmpp.org/images/psa-license.jpg' alt='A License to Jabber' height='261'"
                   " width='537'/>")  # fmt: skip
    link = '<a href="http://www.jabber.org/" rel="noopener noreferrer nofollow">Jabber</a>'
    assert picture.to_html() == f"<p>Hey, are you licensed to {link}?</p>A License to Jabber"
    assert picture.to_html(images=True).endswith(
        '<img alt="A License to Jabber" src="http://www.xmpp.org/images/psa-license.jpg" width="537" height="261">'
    )
    assert picture.to_text() == "Hey, are you licensed to Jabber (http://www.jabber.org/)?\nA License to Jabber"
    assert html("<ol><li>one</li><li>two</li></ol>").to_text() == "one\ntwo"


def test_the_body_in_a_language() -> None:
    both = Html.parse(
        parse_element(
            "<html xmlns='http://jabber.org/protocol/xhtml-im'>"
            "<body xmlns='http://www.w3.org/1999/xhtml' xml:lang='en'>hello</body>"
            "<body xmlns='http://www.w3.org/1999/xhtml' xml:lang='de'>hallo</body><body>none</body></html>"
        )
    )
    assert (both.to_html(), both.to_html("de"), both.to_html("fr")) == ("hello", "hallo", "hello")
    assert Html().to_html() == ""


@pytest.mark.parametrize(
    ("sent", "left"),
    [
        ("<script>alert(1)</script>x", "x"),
        ("<style>p{}</style><iframe src='x'>i</iframe><object>o</object><title>t</title>x", "x"),
        ("<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>x", "x"),
        ("<math><mi>a</mi></math>x", "x"),
        ("<b onclick='x'>bold</b>", "bold"),
        ("<p onclick='alert(1)' id='a' class='b' title='c'>x</p>", "<p>x</p>"),
        ("&lt;script&gt;alert(1)&lt;/script&gt;", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("<a href='javascript:alert(1)'>x</a>", "<a>x</a>"),
        ("<a href=' JaVaScRiPt:alert(1)'>x</a>", "<a>x</a>"),
        ("<a href='java&#10;script:alert(1)'>x</a>", "<a>x</a>"),
        ("<a href='&#9;javascript:alert(1)//http://'>x</a>", "<a>x</a>"),
        ("<a href='data:text/html,x'>x</a>", "<a>x</a>"),
        ("<a href='//example.org/'>x</a>", "<a>x</a>"),
        ("<a href='vbscript:x'>x</a><a href='file:///etc/passwd'>y</a>", "<a>x</a><a>y</a>"),
        ("<a href='http://a/&quot;onclick=&quot;x'>x</a>", "<a>x</a>"),
        (f"<a href='http://a/{'x' * 3000}'>x</a>", "<a>x</a>"),
        ("<p style='background:url(http://a/)'>x</p>", "<p>x</p>"),
        ("<p style='color:red;position:fixed;top:0'>x</p>", '<p style="color: red">x</p>'),
        ("<p style='color:expression(alert(1))'>x</p>", "<p>x</p>"),
        ("<p style='font-family:a&quot;;x:y'>x</p>", "<p>x</p>"),
        ("<p style='font-size:900px;margin-left:9999px'>x</p>", "<p>x</p>"),
        ("<p style='co\\6cor:red'>x</p>", "<p>x</p>"),
        ("<p style='color:red/**/;text-decoration:blink'>x</p>", "<p>x</p>"),
        ("<img src='javascript:x' alt='&lt;b&gt;'/>", "&lt;b&gt;"),
        ("<img src='http://a/' alt='' width='1e9' height='99999'/>", ""),
        ("<img/>", ""),
        ("<br>text that a br can not have</br>", "<br>"),
        ("<form action='x'><input/>secret?</form>", ""),
        ("<p xmlns='urn:other'>x</p>", ""),
    ],
)
def test_attacks(sent: str, left: str) -> None:
    assert html(sent).to_html() == left


@pytest.mark.parametrize("src", ["javascript:alert(1)", "data:image/svg+xml,x", "/x", "http://a/' onerror='x"])
def test_images_that_are_none(src: str) -> None:
    sent = html(f'<img src="{src}" alt="instead"/>')
    assert sent.to_html(images=True) == "instead"


def test_what_is_nested_deep() -> None:
    depth = 60
    deep = html("<blockquote>" * depth + "x" + "</blockquote>" * depth)
    assert deep.to_html().count("<blockquote>") == DEEPEST
    assert html("<q>" * depth + "x" + "</q>" * depth).to_html() == ""


def test_what_is_shown_is_well_formed() -> None:
    open_: list[str] = []

    class Seen(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag not in ("br", "img"):
                open_.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert open_.pop() == tag

    Seen().feed(html("<p>a<q><em>b<br/></em></q><img alt='c'/></p><ul><li>d</li></ul>").to_html(images=True))
    assert not open_
