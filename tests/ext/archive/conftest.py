"""Conversations, and what clients find of them in their archives."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from chirrup.core.stanza import read_error
from chirrup.core.xml import CLIENT, Element
from chirrup.ext.archive import NS
from chirrup.ext.archive.payloads import Fin, Query, Result
from chirrup.ext.forms.payloads import Form
from chirrup.ext.rsm.payloads import Set
from chirrup.testing import TestClient


class Answer:
    """What a query brought."""

    def __init__(self, results: list[Result], fin: Fin) -> None:
        self.results = results
        self.fin = fin
        self.ids = [result.id for result in results]
        self.messages = [result.forwarded.stanza for result in results]
        self.texts = [message.child_text("body") for message in self.messages]


Ask = Callable[..., Awaitable[Answer]]


@pytest.fixture
def query() -> Ask:
    """Asks a client's archive: the page, and fields of the form, whose hyphens are underscores and which may have an
    underscore at their end. Raises StanzaError."""

    async def ask(
        client: TestClient,
        page: Set | None = None,
        *,
        flip: bool = False,
        queryid: str | None = None,
        node: str | None = None,
        **fields: Any,
    ) -> Answer:
        named = {name.rstrip("_").replace("_", "-"): value for name, value in fields.items()}
        form = Form.of("submit", NS, named) if fields else None
        payload = Query(queryid, node, form, page, flip).to_element()
        others = list(client.received)
        client.received.clear()
        answer = await client.ask(Element("iq", CLIENT, payload, type="set"))
        if answer.get("type") == "error":
            client.received.extendleft(reversed(others))
            raise read_error(answer)
        results = []
        for stanza in client.received:
            if (found := stanza.child("result", NS)) is None:
                others.append(stanza)
            else:
                assert stanza.get("from") == client.jid.bare.text
                assert stanza.get("to") == client.jid.text
                results.append(Result.parse(found))
        client.received.clear()
        client.received.extend(others)
        assert answer.first is not None
        return Answer(results, Fin.parse(answer.first))

    return ask
