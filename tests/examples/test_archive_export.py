from __future__ import annotations

import json
from collections.abc import Callable
from types import ModuleType

from chirrup import Message
from chirrup.testing import serve


async def test_archive_export(example: Callable[[str], ModuleType]) -> None:
    export = example("archive_export").export
    async with serve() as server, await server.sdk("alice") as alice, await server.sdk("bob") as bob:
        await alice.send(Message("bob@localhost", "Grüße"))
        await alice.send(Message("carol@localhost", "not for Bob"))
        await alice.settle()
        await bob.send(Message("alice@localhost", "hello"))
        await bob.settle()
        lines = [json.loads(line) async for line in export(alice, "bob@localhost")]
        assert [(one["from"], one["to"], one["body"]) for one in lines] == [
            (str(alice.jid), "bob@localhost", "Grüße"),
            (str(bob.jid), "alice@localhost", "hello"),
        ]
        assert lines[0]["time"] < lines[1]["time"]
        assert len([line async for line in export(alice)]) == 3
