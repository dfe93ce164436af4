"""The examples of XEP-0393 §5, and what somebody might send to do harm."""

from __future__ import annotations

import time
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chirrup.ext.styling.text import DEEPEST, Line, Preformatted, Quotation, Span, parse, to_html, to_text


def spans(text: str) -> list[object]:
    (block,) = parse(text)
    assert isinstance(block, Line)
    return list(block.spans)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("plain span", ["plain span"]),
        ("*strong span*", [Span("*", ("strong span",))]),
        ("plain _emphasis_ plain", ["plain ", Span("_", ("emphasis",)), " plain"]),
        ("`pre` plain *strong*", [Span("`", ("pre",)), " plain ", Span("*", ("strong",))]),
        ("*strong*plain*", [Span("*", ("strong",)), "plain*"]),
        ("* plain *strong*", ["* plain ", Span("*", ("strong",))]),
        ("Everyone ~dis~likes cake.", ["Everyone ", Span("~", ("dis",)), "likes cake."]),
        ("This is `*monospace*`", ["This is ", Span("`", ("*monospace*",))]),
        ("*`monospace and bold`*", [Span("*", (Span("`", ("monospace and bold",)),))]),
        ("*_~all~_*", [Span("*", (Span("_", (Span("~", ("all",)),)),))]),
        ("*a _b* c_", [Span("*", ("a _b",)), " c_"]),
        ("\u3000*wide*", ["\u3000", Span("*", ("wide",))]),
    ],
)
def test_spans(text: str, found: list[object]) -> None:
    assert spans(text) == found


@pytest.mark.parametrize(
    "text", ["not strong*", "*not strong", "*not *strong", "**", "***", "****", "a*b*", "* a*", ""]
)
def test_what_is_no_span(text: str) -> None:
    assert spans(text) == ([text] if text else [])


def test_spans_do_not_escape_their_line() -> None:
    assert parse("*not\nstrong*") == (Line(("*not",)), Line(("strong*",)))


def test_preformatted_blocks() -> None:
    text = '```ignored\n(println "Hello, *world*!")\n```\n\nThis should show up as monospace'
    code, empty, line = parse(text)
    assert code == Preformatted('(println "Hello, *world*!")', "```ignored", "```")
    assert (empty, line) == (Line(()), Line(("This should show up as monospace",)))
    quoted, rest = parse("> ```\n> (println)\nnot quoted")
    assert quoted == Quotation((Preformatted("(println)", "```", ""),))
    assert rest == Line(("not quoted",))


def test_quotations() -> None:
    first, *rest = parse(">> That that is, is.\n> Said the old hermit of Prague.\n\nWho?")
    inner = Quotation((Line(("That that is, is.",)),))
    assert first == Quotation((inner, Line(("Said the old hermit of Prague.",))))
    assert rest == [Line(()), Line(("Who?",))]


def test_as_html_and_text() -> None:
    text = "> a <b>\n*x & _y_*\n```\n<i>\n```"
    assert to_html(text) == (
        "<blockquote><p>a &lt;b&gt;</p></blockquote><p><strong>*x &amp; <em>_y_</em>*</strong></p><pre>&lt;i&gt;</pre>"
    )
    assert to_html("*a*", directives=False) == "<p><strong>a</strong></p>"
    assert to_text(text) == "> a <b>\nx & y\n<i>"


class Seen(HTMLParser):
    """What a browser would see."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ("p", "blockquote", "pre", "strong", "em", "del", "code")
        assert not attrs
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@given(st.text(alphabet=st.sampled_from(list("*_~` >\n<a&\"'")), max_size=60))
def test_nothing_of_a_text_is_markup_or_lost(text: str) -> None:
    seen = Seen()
    seen.feed(to_html(text))
    seen.close()
    assert not seen.open
    if not any(line.startswith((">", "```")) for line in text.split("\n")):
        assert "".join(seen.text) == text.replace("\n", "")


@pytest.mark.parametrize("text", ["*a " * 20_000, "*_~`" * 15_000, ">" * 60_000, "> >" * 20_000, "```\n" * 15_000])
def test_no_text_takes_long(text: str) -> None:
    began = time.process_time()
    to_html(text)
    to_text(text)
    assert time.process_time() - began < 2


def test_how_deep_quotations_go() -> None:
    assert to_html(">" * 100 + "x").count("<blockquote>") == DEEPEST
