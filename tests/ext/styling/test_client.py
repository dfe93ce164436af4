from __future__ import annotations

from chirrup import Message
from chirrup.ext.disco.client import Disco
from chirrup.ext.styling import NS
from chirrup.ext.styling.client import Styling
from chirrup.ext.styling.payloads import Unstyled
from chirrup.testing import serve


async def test_a_client_shows_styling() -> None:
    async with serve() as server, await server.sdk("alice", features=[Styling]) as alice:
        assert NS in {feature.var for feature in alice.need(Disco).own().features}
        styling = alice.need(Styling)
        assert styling.html(Message("bob@localhost", "*hi*\n> you")) == (
            "<p><strong>*hi*</strong></p><blockquote><p>you</p></blockquote>"
        )
        assert styling.text(Message("bob@localhost", "*hi*")) == "hi"
        assert styling.html(Message("bob@localhost", "> _ <\n", Unstyled())) == "<p>&gt; _ &lt;</p><p></p>"
