from __future__ import annotations

import pytest

from chirrup.core.errors import ConfigError
from chirrup.core.xml import CLIENT, Element
from chirrup.ext.contact_addresses import FORM_TYPE
from chirrup.ext.disco.payloads import Info
from chirrup.ext.forms.payloads import Form
from chirrup.testing import TestServer, serve


async def forms(server: TestServer) -> list[Form]:
    alice = await server.client("alice")
    info = Info.find(await alice.ask(Element("iq", CLIENT, Info().to_element(), type="get", to="localhost")))
    assert info is not None
    return [Form.parse(form) for form in info.forms]


async def test_in_the_hosts_information() -> None:
    addresses = {
        "admin": ["mailto:xmpp@shakespeare.lit", "xmpp:admins@shakespeare.lit"],
        "status": ["https://status.shakespeare.lit/?now=1#top"],
        "sales": [],
    }
    async with serve({"modules": {"contact_addresses": addresses}}) as server:
        (form,) = await forms(server)
        assert (form.type, form.form_type) == ("result", FORM_TYPE)
        assert [field.var for field in form.fields] == ["FORM_TYPE", "admin-addresses", "status-addresses"]
        assert form.values("admin-addresses") == ("mailto:xmpp@shakespeare.lit", "xmpp:admins@shakespeare.lit")
        assert form.values("status-addresses") == ("https://status.shakespeare.lit/?now=1#top",)


async def test_nothing_is_told_unless_it_is_given() -> None:
    async with serve() as server:
        assert await forms(server) == []


async def test_without_service_discovery_there_is_nowhere_to_tell() -> None:
    settings = {
        "hosts": {"localhost": {"modules_disabled": ["disco"]}},
        "modules": {"contact_addresses": {"admin": ["mailto:xmpp@shakespeare.lit"]}},
    }
    async with serve(settings) as server:
        await server.client("alice")


@pytest.mark.parametrize("wrong", ["xmpp@shakespeare.lit", "", "mailto:", "https://a b", "mailto:ä@b", "x:<y>"])
async def test_what_is_no_uri(wrong: str) -> None:
    with pytest.raises(ConfigError, match="should be a URI"):
        async with serve({"modules": {"contact_addresses": {"admin": [wrong]}}}):
            raise AssertionError("unreachable")
