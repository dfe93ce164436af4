"""Scenarios: who sends what and who receives what, as a text that reads like the examples in the specifications.

    # A message to a bare JID (RFC 6121 §8.5.2.1.1)

    romeo: romeo@localhost/orchard
    juliet: juliet@localhost/balcony

    romeo connects
    juliet connects
    juliet sends
        <presence/>
    juliet receives
        <presence from='juliet@localhost/balcony'/>
    romeo sends
        <message to='juliet@localhost' type='chat'><body>Wherefore art thou?</body></message>
    juliet receives
        <message from='romeo@localhost/orchard' to='juliet@localhost' type='chat'>
          <body>Wherefore art thou?</body>
        </message>
    romeo receives nothing

The accounts of the clients that are named exist from the start. `connects` logs in and binds; it sends no presence.
Other steps: `receives in any order`, `receives only` (no other attribute but `id`, `from` and `to`, and no other
child), `receives nothing`, `disconnects` (closes the stream), `drops` (cuts the connection), `is closed` by the
server, `is closed with CONDITION`, `is refused with CONDITION` (tries to connect in vain), `server stops` and
`time passes SECONDS`. A client declared as `mallory: raw` `opens` a connection (or `opens with TLS`), and `starts TLS`
on it where the server is ready for that; what it sends is sent as it stands, what it receives starts with the header
`<stream:stream/>`.

An expected element names what must be there: attributes, children and text that it doesn't name may be anything. `*`
stands for any value that isn't empty, `{word}` for one, or a part of one, that must be the same wherever the word comes
again; in what is sent, `{word}` is replaced by it. A block `server` at the top, in TOML, changes the configuration.
"""

from __future__ import annotations

import itertools
import re
import textwrap
from dataclasses import dataclass, field
from typing import Final

from chirrup.core.errors import StreamError
from chirrup.core.parser import Limits, StreamParser
from chirrup.core.record import record
from chirrup.core.xml import CLIENT, STREAMS, Element

_ACTIONS: Final = (
    "receives in any order",
    "receives only",
    "receives nothing",
    "receives",
    "sends",
    "connects",
    "disconnects",
    "drops",
    "opens with TLS",
    "opens",
    "starts TLS",
    "is closed with",
    "is closed",
    "is refused with",
)
_STEP: Final = re.compile(rf"(?P<client>\w+) (?P<action>{'|'.join(_ACTIONS)})(?: (?P<argument>\S+))?")
_TIME: Final = re.compile(r"time passes (?P<seconds>[\d.]+)")
_WORD: Final = re.compile(r"\{(\w+)\}")


class ScenarioError(ValueError):
    """The script can't be read; the message names the line."""


@dataclass(slots=True)
class Step:
    """One thing that happens: who does what, with what."""

    line: int
    client: str
    action: str
    argument: str = ""
    text: str = ""


@record
class Scenario:
    """A script, parsed."""

    title: str
    clients: dict[str, str]
    """Full JID of each client, or "raw"."""
    steps: list[Step]
    server: str = ""
    """TOML that is laid over the server's configuration."""


def parse(script: str) -> Scenario:
    """Read a script; ScenarioError where a line makes no sense."""
    title, server = "", ""
    clients: dict[str, str] = {}
    steps: list[Step] = []
    lines = script.split("\n")
    number = 0
    while number < len(lines):
        line = lines[number].rstrip()
        number += 1
        if line.startswith("#"):
            title = title or line.lstrip("# ")
        elif not line.strip():
            continue
        elif line == "server":
            server, number = _block(lines, number)
        elif (match := re.fullmatch(r"(\w+): (\S+)", line)) is not None:
            clients[match[1]] = match[2]
        elif (match := _TIME.fullmatch(line)) is not None:
            steps.append(Step(number, "", "time passes", match["seconds"]))
        elif line == "server stops":
            steps.append(Step(number, "", line))
        elif (match := _STEP.fullmatch(line)) is not None:
            if match["client"] not in clients:
                raise ScenarioError(f"line {number}: nobody is called {match['client']!r}")
            step = Step(number, match["client"], match["action"], match["argument"] or "")
            step.text, number = _block(lines, number)
            _check(step)
            steps.append(step)
        else:
            raise ScenarioError(f"line {number}: {line!r} is no step")
    return Scenario(title, clients, steps, server)


def _check(step: Step) -> None:
    """A step has a block or an argument where it needs one, and none where it doesn't."""
    has_text = step.action in ("sends", "receives", "receives only", "receives in any order")
    if bool(step.text) != has_text:
        raise ScenarioError(f"line {step.line}: {step.action!r} {'lacks' if has_text else 'has no use for'} a block")
    if bool(step.argument) != step.action.endswith(" with"):
        raise ScenarioError(f"line {step.line}: {step.action!r} is followed by {step.argument or 'nothing'!r}")
    if has_text and step.action != "sends":
        try:
            elements(step.text)
        except (ScenarioError, StreamError) as error:
            raise ScenarioError(f"line {step.line}: {error}") from None


def _block(lines: list[str], number: int) -> tuple[str, int]:
    """The indented lines from there on, and the number of the line behind them."""
    block = []
    while number < len(lines) and (not lines[number].strip() or lines[number][0] in " \t"):
        block.append(lines[number])
        number += 1
    return textwrap.dedent("\n".join(block)).strip(), number


def elements(text: str) -> list[Element]:
    """The first-level elements of an expectation."""
    parser = StreamParser(Limits())
    parser.feed(f"<stream:stream xmlns='{CLIENT}' xmlns:stream='{STREAMS}'>".encode())
    found = parser.feed(text.encode())
    if not parser.idle:
        raise ScenarioError(f"not whole elements: {text!r}")
    return found


@dataclass(slots=True)
class Memory:
    """The values that words like `{id}` stand for."""

    words: dict[str, str] = field(default_factory=dict)

    def fill(self, text: str) -> str:
        """Replace the words that are known."""
        return _WORD.sub(lambda match: self.words.get(match[1], match[0]), text)

    def difference(self, wanted: Element, got: Element, *, only: bool = False) -> str:
        """What of `wanted` is missing in `got`, in words; empty when nothing is. Learns new words on the way."""
        learned = dict(self.words)
        missing = self._compare(wanted, got, learned, only)
        if not missing:
            self.words = learned
        return missing

    def _compare(self, wanted: Element, got: Element, words: dict[str, str], only: bool) -> str:
        if (wanted.name, wanted.ns) != (got.name, got.ns):
            return f"<{got.name} xmlns='{got.ns}'/> instead of <{wanted.name} xmlns='{wanted.ns}'/>"
        for key, value in wanted.attrs.items():
            if not _matches(value, got.attrs.get(key), words):
                return f"<{got.name}/> has {key}={got.attrs.get(key)!r} instead of {value!r}"
        if only and (extra := set(got.attrs) - set(wanted.attrs) - {"id", "from", "to"}):
            return f"<{got.name}/> has {', '.join(sorted(extra))} too"
        text = wanted.text.strip()
        if text and not _matches(text, got.text.strip(), words):
            return f"<{got.name}/> says {got.text!r} instead of {text!r}"
        left = list(got.elements())
        for child in wanted.elements():
            reasons = []
            for candidate in left:
                trial = dict(words)
                reason = self._compare(child, candidate, trial, only)
                if not reason:
                    words.clear()
                    words.update(trial)
                    left.remove(candidate)
                    break
                reasons.append(reason)
            else:
                return f"<{got.name}/> lacks {child}" + (f" ({'; '.join(reasons)})" if reasons else "")
        if only and left:
            return f"<{got.name}/> has {left[0]} too"
        return ""


def _matches(wanted: str, got: str | None, words: dict[str, str]) -> bool:
    if got is None:
        return False
    if wanted == "*":
        return got != ""
    texts = _WORD.split(wanted)  # every other one is a word
    if len(texts) == 1:
        return wanted == got
    pattern, new = "", set[str]()
    for text, word in itertools.zip_longest(texts[::2], texts[1::2]):
        pattern += re.escape(text)
        if word in words:
            pattern += re.escape(words[word])
        elif word is not None:
            pattern += f"(?P={word})" if word in new else f"(?P<{word}>.+)"
            new.add(word)
    match = re.fullmatch(pattern, got, re.DOTALL)
    if match is not None:
        words.update(match.groupdict())
    return match is not None
