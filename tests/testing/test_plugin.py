"""The pytest plugin, in a pytest of its own."""

from __future__ import annotations

import pytest
import sqlalchemy.dialects.postgresql  # noqa: F401 # what is imported first in a pytest inside is imported anew in each

pytest_plugins = ["pytester"]

GOOD = """\
# A ping is answered

alice: alice@localhost/garden

alice connects
alice sends
    <iq type='get' id='1' to='localhost'><nothing xmlns='urn:x'/></iq>
alice receives
    <iq type='error' id='1' from='localhost'/>
"""


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """Without the plugins that our own tests need: this one has to do without them."""
    return pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:asyncio", *arguments)


def test_a_scenario_is_a_test(pytester: pytest.Pytester):
    pytester.path.joinpath("ping.scenario").write_text(GOOD)
    result = run(pytester, "-v")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*ping.scenario::ping PASSED*"])


def test_a_failure_shows_the_line_and_what_came(pytester: pytest.Pytester):
    pytester.path.joinpath("ping.scenario").write_text(GOOD.replace("type='error'", "type='result'"))
    result = run(pytester)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "A ping is answered",
            ">   8  alice receives",
            "*ping.scenario:8: alice received <iq * type='error'*",
            "where it should be <iq * type='result'*",
            "<iq/> has type='error' instead of 'result'",
        ]
    )


def test_a_script_that_can_not_be_read_shows_the_line(pytester: pytest.Pytester):
    pytester.path.joinpath("ping.scenario").write_text("bob connects\n")
    result = run(pytester)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*ping.scenario: line 1: nobody is called 'bob'"])


def test_the_end_of_a_stream_that_nobody_expected_shows_the_line(pytester: pytest.Pytester):
    script = GOOD.replace("<iq type='get' id='1' to='localhost'>", "<iq type='get' id='1' from='mallory@localhost'>")
    pytester.path.joinpath("ping.scenario").write_text(script)
    result = run(pytester)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*ping.scenario:8: alice receives: invalid-from: *"])


def test_servers_come_from_a_fixture_without_another_plugin(pytester: pytest.Pytester):
    pytester.makepyfile(
        """
        import asyncio

        def test_accounts_outlive_a_server(chirrup_server):
            async def main():
                async with chirrup_server(name="home") as server:
                    await server.add_account("alice", "pass")
                async with chirrup_server(name="home") as server, chirrup_server() as other:
                    assert (await server.client("alice", "pass")).jid.local == "alice"
                    assert server.port() != other.port()
                    assert server.server.config.data != other.server.config.data

            asyncio.run(main())

        def test_settings_are_those_of_the_configuration(chirrup_server):
            async def main():
                async with chirrup_server({"hosts": {"example.org": {}}}) as server:
                    assert server.domain == "example.org"

            asyncio.run(main())
        """
    )
    result = run(pytester)
    result.assert_outcomes(passed=2)
