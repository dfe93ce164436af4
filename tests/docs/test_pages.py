"""Pages that list what the code has list all of it, and nothing else."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from chirrup.server import hooks


def table(page: Path, heading: str) -> list[list[str]]:
    """The cells of the rows of each table with that first heading."""
    lines = page.read_text().splitlines()
    rows = []
    for start in (number for number, line in enumerate(lines) if line.startswith(f"| {heading} |")):
        for line in lines[start + 2 :]:
            if not line.startswith("|"):
                break
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def test_the_architecture_names_every_hook(root: Path) -> None:
    cells = [cell for _, cell in table(root / "docs" / "architecture.md", "what happens")]
    assert sorted(re.findall(r"`(\w+)`", " ".join(cells))) == sorted(hook.name for hook in hooks.EVERY)


def test_the_architecture_names_every_package(root: Path) -> None:
    house = (root / "docs" / "architecture.md").read_text()
    for package in (root / "src" / "chirrup").glob("*/__init__.py"):
        assert f"\n  {package.parent.name}/ " in house


def test_every_dependency_has_its_line(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text())
    needed = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    for extra in project["project"]["optional-dependencies"].values():
        needed += extra
    names = {re.split(r"[^\w-]", requirement)[0] for requirement in needed} - {"mkdocs-material"}  # in mkdocs' line
    page = root / "docs" / "dependencies.md"
    shown = {row[0].split(" ")[0].lower() for heading in ("library", "tool") for row in table(page, heading)}
    assert shown == names
