"""The compiled form does what the one in Python does."""

from __future__ import annotations

import gc
import os
import random
import resource
import runpy
import subprocess
import sys
import tracemalloc
import weakref
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chirrup.core import accelerator, parser, reader, writing
from chirrup.core.errors import LocalProtocolError, StreamError
from chirrup.core.parser import Limits, StreamParser
from chirrup.core.xml import CLIENT, STREAMS, XML, XML_LANG, Element, Received

pytestmark = pytest.mark.usefixtures("compiled")

FUZZ = runpy.run_path(str(Path(__file__).parents[2] / "fuzz" / "parser.py"))
HEADER = f"<stream:stream xmlns='{CLIENT}' xmlns:stream='{STREAMS}'>".encode()
MESSAGE = (
    b"<message to='a@b' id='1'><body>hi &amp; \xc3\xbc</body><x xmlns='urn:x' a='>'/>"
    b"<y:z xmlns:y='urn:y' y:b=''/><w/></message>"
)


def form_in(**env):
    code = "from chirrup.core.accelerator import FORM; from chirrup.core.parser import Reader; print(FORM, Reader)"
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, **env}, capture_output=True, check=True)
    return done.stdout.decode()


def test_which_form_runs_is_chosen_by_the_environment():
    assert form_in(CHIRRUP_PURE="").startswith("compiled <class 'chirrup.core.compiled.reader.Reader'>")
    assert form_in(CHIRRUP_PURE="1").startswith("Python <class 'chirrup.core.reader.Reader'>")


# reading


def shape(element):
    """All there is about an element, which equality doesn't say."""
    if isinstance(element, str):
        return element
    came = (len(element.came), element.inside) if type(element) is Received else ()
    children = [shape(child) for child in element.children]
    return (type(element), element.name, element.ns, list(element.attrs.items()), children, *came)


def story(kind, pieces, limits, rests=False):
    """What a parser says to each of some pieces, in one form."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parser, "Reader", kind)
        stream = StreamParser(limits)
        told = []
        for piece in pieces:
            try:
                told.append([shape(element) for element in stream.feed(piece)])
            except StreamError as error:
                told.append((error.condition, error.text, error.app, [shape(element) for element in stream.ready]))
            header = stream.header and shape(stream.header)
            told.append((header, dict(stream.prefixes), stream.ended, stream.idle, rests and stream.rest()))
        return told


def same_story(pieces, limits, rests=False):
    expected = story(reader.Reader, pieces, limits, rests)
    assert story(accelerator.reader.Reader, pieces, limits, rests) == expected


LIMITS = [Limits(), Limits(stanza_bytes=300, depth=5, attributes=4, elements=6), FUZZ["LIMITS"]]


@given(st.integers(0, 2**32), st.sampled_from(LIMITS), st.lists(st.integers(0, 600), max_size=6), st.booleans())
def test_any_octets_in_any_pieces_mean_the_same(seed, limits, cuts, rests):
    data = FUZZ["mutate"](random.Random(seed))[2:]
    cuts = sorted(min(cut, len(data)) for cut in cuts)
    pieces = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    same_story(pieces, limits, rests)


@given(st.lists(st.sampled_from([*FUZZ["TOKENS"], MESSAGE, b"text", b"\r\n", b"x" * 2_500, b"<a b='"]), max_size=12))
def test_any_pieces_of_a_stream_mean_the_same(pieces):
    same_story([HEADER, *pieces], Limits(), rests=True)
    same_story([HEADER + b"".join(pieces)], Limits())


@pytest.mark.parametrize("text", ["x" * 5_000, "ü" * 3_000 + "\n" * 3_000, "&amp;" * 3_000, "a\nü&lt;" * 1_000])
@pytest.mark.parametrize("behind", [b"</a>", b"<b/>y</a>", b"<!-- --></a>", b"</b>"])
def test_long_text_is_the_same(text, behind):
    data = HEADER + b"<a>" + text.encode() + behind
    for size in (len(data), 1_000, 77):
        same_story([data[at : at + size] for at in range(0, len(data), size)], Limits())
    same_story([HEADER + text.encode() + behind], Limits())


def test_a_reader_that_was_discarded_reads_nothing():
    one = accelerator.reader.Reader(Limits(), {})
    one.read(HEADER)
    one.discard()
    one.discard()
    one.read(MESSAGE)
    assert (one.ready, one.fed, one.position) == ([], len(HEADER), len(HEADER))


def test_a_reader_lets_nobody_in_while_it_reads():
    """A refusal is raised by Python, in the midst of which anything may run."""
    one = accelerator.reader.Reader(limits := Meddling(), {})
    limits.reader = one
    one.read(HEADER)
    with pytest.raises(RuntimeError, match="at work"):
        one.read(b"<a b='' c=''/>")
    one.discard()


class Meddling:
    """Limits that read on when they are asked for what an error is to say."""

    stanza_bytes, depth, elements = 10_000, 10, 10
    asked = 0
    reader = None

    @property
    def attributes(self):
        self.asked += 1
        if self.asked > 1:
            self.reader.discard()
        return 1


# writing

CHARS = st.characters() | st.sampled_from("\0\x0b\t\r\n&<>'\"\x7f\ufffd\ufffe\uffff\uffee\ud800\U0001ffff ")
TEXTS = st.text(CHARS, max_size=8)
NAMESPACES = st.sampled_from([CLIENT, STREAMS, XML, "", "urn:a", "urn:ü", "\ufffe"])
KEYS = st.sampled_from(["a", "ü", XML_LANG, f"{XML}}}space", "urn:a}b", "urn:\0}c", "d", "}e", "\ud800"])


@st.composite
def an_element(draw, children):
    element = Element(draw(st.sampled_from(["a", "ü-b", "c:d", "\udfff"])), draw(NAMESPACES))
    element.attrs = draw(st.dictionaries(KEYS, TEXTS, max_size=3))
    element.children = draw(st.lists(TEXTS | children, max_size=4))
    return element


ELEMENTS = st.recursive(an_element(st.nothing()), an_element, max_leaves=8)


def written(write, *what):
    try:
        return write(*what)
    except (LocalProtocolError, UnicodeEncodeError, AttributeError, TypeError) as error:
        return type(error), str(error)


@given(ELEMENTS, NAMESPACES)
def test_any_element_is_written_the_same(element, ns):
    assert written(accelerator.writer.write, element, ns) == written(writing.write, element, ns)


@given(ELEMENTS, st.lists(TEXTS | ELEMENTS, max_size=3), st.sampled_from(["", "keep", "drop", "swap", "ns"]))
def test_anything_received_is_written_again_the_same(element, more, change):
    stanza = Received(element, b"<as>it stood</as>")
    stanza.ns = CLIENT
    stanza.children = [*element.children, *more]
    if change == "drop":
        stanza.children = stanza.children[1:]
    elif change == "swap":
        stanza.children.reverse()
    elif change == "ns":
        stanza.ns = "urn:a"
    assert written(accelerator.writer.write_again, stanza) == written(writing.write_again, stanza)


def odd(**changes):
    element = Element("a", CLIENT, "text", id="1")
    for name, value in changes.items():
        setattr(element, name, value)
    return element


@pytest.mark.parametrize(
    "element",
    [
        Element.__new__(Element),
        odd(name=1),
        odd(ns=None),
        odd(attrs={1: "2"}),
        odd(attrs={"a": 2}),
        odd(children=["text", 3]),
        odd(children=[None]),
        odd(children=[Element.__new__(Element)]),
        odd(children=None),
    ],
)  # fmt: skip
def test_elements_that_are_none_end_as_they_do_in_python(element):
    expected = written(writing.write, element, CLIENT)
    assert written(accelerator.writer.write, element, CLIENT) == expected


def test_what_isnt_even_an_element_is_refused():
    for write in (accelerator.writer.write_again, lambda what: accelerator.writer.write(what, CLIENT)):
        for what in (None, "text", object(), Element):
            with pytest.raises(TypeError):
                write(what)
    with pytest.raises(TypeError):
        accelerator.writer.write_again(Element("a"))
    for module in (accelerator.reader, accelerator.writer):
        with pytest.raises((TypeError, AttributeError)):
            module.prepare(object, dict)
    assert Element("a", CLIENT).to_bytes() == b"<a/>"


def test_very_deep_elements_end_in_an_error_and_not_in_a_crash():
    element = Element("a", CLIENT)
    for _ in range(100_000):
        element = Element("a", CLIENT, element)
    with pytest.raises(RecursionError):
        accelerator.writer.write(element, CLIENT)
    while element.children:  # or freeing it would be as deep
        element = element.children.pop()


def test_long_elements_are_written_whole():
    element = Element("a", CLIENT, "<" * 100_000, Element("b", "", "ü" * 100_000), c="'" * 100_000)
    assert accelerator.writer.write(element, CLIENT) == writing.write(element, CLIENT)


# memory


def streams(number):
    """Streams that end in all ways there are."""
    for at in range(number):
        stream = StreamParser(Limits(stanza_bytes=50_000))
        stream.feed(HEADER)
        for element in stream.feed(MESSAGE * 5):
            element.copy().to_bytes()
            element.c("z").t("\0" if at % 7 == 0 else "z")
            written(element.to_bytes)
        stream.rest()
        stream.feed(f"<n{at % 50} a='{at}'/><half".encode())
        endings = [
            b">text",
            b"></wrong>",
            b"/><!-- -->",
            b"/></stream:stream>",
            b"/>&a;",
            b" \xff>",
            b"/>" + b"x" * 9_999,
        ]
        with suppress(StreamError):
            stream.feed(endings[at % len(endings)])


def test_nothing_is_lost_of_what_python_gave():
    streams(200)
    gc.collect()
    tracemalloc.start()
    try:
        streams(100)
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        streams(1_000)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 50_000


def test_nothing_is_lost_of_what_the_system_gave():
    """Expat's memory is none of Python's. A stream has 13 KiB of it at least."""
    streams(500)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    streams(3_000)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 10_000


class Canary:
    """Something whose end can be seen."""


@pytest.mark.parametrize("kind", ["element", "received", "reader"])
def test_the_garbage_collector_sees_into_what_was_made(kind):
    canary = Canary()
    gone = weakref.ref(canary)
    stream = accelerator.reader.Reader(Limits(), {})
    stream.read(HEADER + b"<a/>" + MESSAGE)
    element, received = stream.ready
    assert type(received) is Received
    if kind == "reader":
        stream.ready = [stream, canary]
    else:
        chosen = element if kind == "element" else received
        assert gc.is_tracked(chosen)
        chosen.children += [chosen, canary]
    del stream, element, received, canary
    if kind != "reader":
        del chosen
    gc.collect()
    assert gone() is None
