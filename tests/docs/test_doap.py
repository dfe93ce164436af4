"""The description of the project for programs: RDF/XML, and every extension in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
DOAP = "{http://usefulinc.com/ns/doap#}"
XMPP = "{https://linkmauve.fr/ns/xmpp-doap#}"
DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def described() -> ElementTree.Element:
    return ElementTree.parse(DOCS / "chirrup.doap").getroot()


def entries(described: ElementTree.Element) -> Iterator[dict[str, str]]:
    for entry in described.iter(f"{XMPP}SupportedXep"):
        found = {child.tag.removeprefix(XMPP): child.text or "" for child in entry}
        link = entry.find(f"{XMPP}xep")
        assert link is not None
        yield {**found, "xep": link.attrib[f"{RDF}resource"]}


def check_node(node: ElementTree.Element) -> None:
    """RDF/XML: nodes hold properties, and a property one node, a text, or the address of something."""
    assert not (node.text or "").strip()
    for held in node:
        if f"{RDF}resource" in held.attrib:
            assert len(held) == 0 and not held.text, held.tag
        elif len(held):
            assert len(held) == 1 and not (held.text or "").strip(), held.tag
            check_node(held[0])
        else:
            assert held.text, held.tag


def test_it_is_rdf_about_one_project(described: ElementTree.Element) -> None:
    assert described.tag == f"{RDF}RDF"
    [project] = described
    assert project.tag == f"{DOAP}Project"
    check_node(project)
    assert {"name", "shortdesc", "license", "programming-language", "category"} <= {
        child.tag.removeprefix(DOAP) for child in project
    }


def test_each_extension_is_there_once(described: ElementTree.Element) -> None:
    listed = re.findall(r"^\| \[(\d+)\]", (DOCS / "reference" / "xeps.md").read_text(), re.MULTILINE)
    links = [entry["xep"] for entry in entries(described)]
    assert links == [f"https://xmpp.org/extensions/xep-{number}.html" for number in sorted(set(listed))]


def test_each_entry_is_whole(described: ElementTree.Element) -> None:
    for entry in entries(described):
        assert re.fullmatch(r"\d+(\.\d+)+", entry["version"]), entry
        assert re.match(r"\d+\.\d+", entry["since"]), entry
        assert entry["status"] == ("partial" if entry.get("note") else "complete"), entry
