"""What the pages show: their fenced blocks, page by page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r'^```(?P<language>\w+)(?: title="[\w.]+")?\n(?P<text>.*?)^```$', re.MULTILINE | re.DOTALL)
_ELSEWHERE = {
    "docs/how-to/write-a-module.md",
    "docs/how-to/client-features.md",
    "docs/how-to/use-the-client.md",
    "docs/how-to/write-a-client-feature.md",
    "docs/tutorial/first-bot.md",
}
"""Pages whose blocks make sense only together; tests/examples has theirs."""


@dataclass(frozen=True)
class Snippet:
    """A fenced block of a page."""

    page: str
    line: int
    language: str
    text: str

    @property
    def commands(self) -> list[tuple[str, str]]:
        """Of a console: each command, and what it prints as the page says."""
        shown = [part.partition("\n") for part in re.split(r"^\$ ", self.text, flags=re.MULTILINE)[1:]]
        return [(command.partition("  #")[0].strip(), output) for command, _, output in shown]


def pages() -> list[Path]:
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def snippets() -> list[Snippet]:
    return [
        Snippet(name, text.count("\n", 0, match.start()) + 1, match["language"], match["text"])
        for name, text in ((str(page.relative_to(ROOT)), page.read_text()) for page in pages())
        if name not in _ELSEWHERE
        for match in _BLOCK.finditer(text)
    ]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test with the argument `toml`, `python`, … runs for each block of that language; `page` for each page."""
    found = snippets()
    for language in {snippet.language for snippet in found} & set(metafunc.fixturenames):
        chosen = [one for one in found if one.language == language and "bot.run()" not in one.text]
        metafunc.parametrize(language, chosen, ids=[f"{snippet.page}:{snippet.line}" for snippet in chosen])
    if "page" in metafunc.fixturenames:
        metafunc.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))


@pytest.fixture
def languages() -> set[str]:
    return {snippet.language for snippet in snippets()}


@pytest.fixture
def bots() -> list[Snippet]:
    """The programs that run a bot."""
    return [snippet for snippet in snippets() if snippet.language == "python" and "bot.run()" in snippet.text]


@pytest.fixture
def root() -> Path:
    return ROOT


@pytest.fixture
def tutorial() -> list[Snippet]:
    """The blocks of the tutorial's page, in their order."""
    return [snippet for snippet in snippets() if snippet.page == "docs/tutorial/first-server.md"]
