"""Fuzz the stream parser: python fuzz/parser.py [--runs N] [--seconds S] [--seed N]

Whatever octets come, the parser gives elements or raises StreamError; how they are cut into pieces makes no
difference; and what it took can be written again, to a stream that anyone else reads the same from.

With atheris installed, and none of these options, it is a target for libFuzzer, whose options it takes.
Otherwise seeds are mutated at random, and the first input that breaks a promise ends the run with a traceback.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from typing import Final

from chirrup.core.errors import StreamError
from chirrup.core.parser import Limits, StreamParser
from chirrup.core.xml import Element

LIMITS: Final = Limits(stanza_bytes=1_000_000, depth=8, attributes=8, elements=32)
HEADER: Final = b"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'>"

SEEDS: Final = (
    b"<?xml version='1.0'?>" + HEADER + b"<message to='a@b' xml:lang='en'><body>hi &amp; bye</body></message>",
    HEADER + b"<iq type='get' id='1'><query xmlns='jabber:iq:roster'/></iq> <presence/></stream:stream>",
    HEADER + b"<a:b xmlns:a='urn:a' xmlns:c='urn:c' a:d='1' c:d='2' d=\"3\"><a:e/><stream:f/><xml:g/></a:b>",
    HEADER + "<m><![CDATA[<>]]>&#x1F600;ü\r\n\u2028</m><m a='>'></m>".encode(),
    b"<stream xmlns='jabber:server'><!DOCTYPE a [<!ENTITY b 'c'>]><!-- d --><?e f?>",
)
TOKENS: Final = (
    *(b"<", b">", b"/>", b"</", b"'", b'"', b"&", b";", b"=", b":", b"}", b" ", b"\n", b"\0", b"\xff", b"\xef\xbf\xbe"),
    *(
        b"<a>",
        b"</a>",
        b"<a/>",
        b"<!--",
        b"-->",
        b"<?",
        b"?>",
        b"<![CDATA[",
        b"]]>",
        b"&lt;",
        b"&x;",
        b"&#0;",
        b"&#13;",
    ),
    *(b" xmlns='u'", b" xmlns=''", b" xmlns:p='u'", b" xmlns:q='v'", b" p:x=''", b" q:x=''", b" xml:x=''", b"<p:a>"),
    *(b"</stream:stream>", b"<!DOCTYPE a>", b"<a>" * 9, b"x" * 1_000, "ü𝄞".encode(), "<a/>".encode("utf-16")),
)


def check(data: bytes) -> None:
    """Keep every promise above for one input, of which the first two octets choose the cuts."""
    cuts, data = data[:2], data[2:]
    whole = read([data], LIMITS)
    step = 1 + cuts[0] % 16 if cuts else 1
    assert read([data[at : at + step] for at in range(0, len(data), step)], LIMITS) == whole, "cut into pieces"
    cut = int.from_bytes(cuts) % (len(data) + 1)
    assert read([data[:cut], data[cut:]], LIMITS) == whole, "cut in two"
    for element in whole[0]:
        again, failed = read([HEADER, element.to_bytes(), b"<next/>"], LIMITS)
        assert not failed, "written and refused"
        assert again == [element, Element("next", "jabber:client")], "written and read as another"


def read(pieces: list[bytes], limits: Limits) -> tuple[list[Element], bool]:
    """The elements that a parser finds, and whether it refused what follows them."""
    parser = StreamParser(limits)
    elements: list[Element] = []
    try:
        for piece in pieces:
            elements += parser.feed(piece)
    except StreamError:
        return elements + parser.ready, True
    return elements, False


def mutate(chance: random.Random) -> bytes:
    """A seed, or two, with some octets changed, left out, doubled or put in."""
    data = bytearray(chance.choice(SEEDS))
    if chance.random() < 0.2:
        data += chance.choice(SEEDS)
    for _ in range(chance.choice((0, 1, 1, 2, 3, 8))):
        at = chance.randrange(len(data) + 1)
        end = min(len(data), at + chance.choice((1, 1, 4, 20)))
        match chance.randrange(5):
            case 0:
                data[at:end] = b""
            case 1:
                data[at:at] = data[at:end] * chance.choice((1, 2, 40))
            case 2:
                data[at:end] = chance.randbytes(end - at)
            case _:
                data[at:at] = chance.choice(TOKENS)
    return chance.randbytes(2) + bytes(data)


def run(runs: int, seconds: float, seed: int) -> int:
    """Check mutated seeds until there were so many or that time is over; how many it were."""
    chance = random.Random(seed)
    end = time.monotonic() + seconds
    done = 0
    while done < runs and time.monotonic() < end:
        data = mutate(chance)
        try:
            check(data)
        except BaseException:
            print(f"input {done} of seed {seed} breaks it: {data!r}", file=sys.stderr)
            raise
        done += 1
    return done


def main() -> None:
    try:
        import atheris
    except ImportError:
        atheris = None
    if atheris is not None and not any(option.startswith("--") for option in sys.argv[1:]):
        atheris.instrument_all()
        atheris.Setup(sys.argv, check)
        atheris.Fuzz()
        return
    options = argparse.ArgumentParser(description="Fuzz the stream parser with seeds mutated at random.")
    options.add_argument("--runs", type=int, default=sys.maxsize, help="inputs to try at most")
    options.add_argument("--seconds", type=float, default=60.0, help="time to take at most (default: 60)")
    options.add_argument("--seed", type=int, default=random.randrange(2**32), help="repeat a run by its seed")
    chosen = options.parse_args()
    print(f"{run(chosen.runs, chosen.seconds, chosen.seed)} inputs, seed {chosen.seed}: nothing found")


if __name__ == "__main__":
    main()
