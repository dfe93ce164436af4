from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chirrup.cli.init import render, toml
from chirrup.server.config import Config, HostConfig, module_settings, parse
from chirrup.server.modules import DEFAULT, find


def uncommented(text: str) -> str:
    return re.sub(r"(?m)^# ", "", text)


def test_what_it_writes_is_a_configuration_of_these_hosts(chirrup: Any, elsewhere: Path) -> None:
    ran = chirrup("init", "my.toml", "--host", "example.org", "--host", "ö.example", "--data", "/srv/chat data")
    assert ran.status == 0, ran.err
    assert "my.toml" in ran.out
    config = parse((elsewhere / "my.toml").read_text())
    expected = Config(data=Path("/srv/chat data"), hosts={"example.org": HostConfig(), "ö.example": HostConfig()})
    assert config.model_dump(exclude={"modules"}) == expected.model_dump(exclude={"modules"})
    assert not any(config.modules.values())


def test_every_setting_stands_there_with_its_default_and_an_explanation() -> None:
    text = uncommented(render(["example.org"], None))
    config = parse(text)
    modules = {name: find(name, None) for name in DEFAULT}
    for name, module in modules.items():
        assert module_settings(config, "example.org", name, module.Settings) == module.Settings()
    expected = Config(hosts={"example.org": HostConfig()})
    assert config.model_dump(exclude={"modules"}) == expected.model_dump(exclude={"modules"})
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if re.match(r"\w+ = ", line):
            assert lines[number - 1].startswith("## "), line


def test_no_setting_is_left_out() -> None:
    def keys(model: Any, path: str = "") -> set[str]:
        found = set()
        for name, info in model.model_fields.items():
            inner = getattr(info.annotation, "model_fields", None)
            found |= keys(info.annotation, name) if inner else {name}
        return found

    written = set(re.findall(r"(?m)^(?:# )?(\w+) = ", render(["example.org"], None)))
    assert (keys(Config) | keys(HostConfig)) - {"hosts", "modules"} <= written


def test_it_overwrites_nothing(chirrup: Any, elsewhere: Path) -> None:
    (elsewhere / "chirrup.toml").write_text("precious")
    ran = chirrup("init")
    assert (ran.status, ran.err) == (1, "chirrup: chirrup.toml is there already; move it away, or name another file\n")
    assert (elsewhere / "chirrup.toml").read_text() == "precious"


def test_a_name_that_no_host_can_have(chirrup: Any, elsewhere: Path) -> None:
    ran = chirrup("init", "--host", "a b")
    assert ran.status == 1
    assert 'hosts."a b"' in ran.err
    assert not (elsewhere / "chirrup.toml").exists()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, '""'),
        (True, "true"),
        (5, "5"),
        (("::", 'a"b'), r'["::", "a\"b"]'),
        ({"a.b": ["x"], "c": {}}, '{"a.b" = ["x"], c = {}}'),
        (Path("/x"), '"/x"'),
    ],
)
def test_values(value: object, text: str) -> None:
    assert toml(value) == text


def test_a_disk_without_room(elsewhere: Path) -> None:
    """No half of a file is left, which would be taken for the whole."""
    program = (
        "import resource, sys\nfrom chirrup.cli import main\nsys.argv = ['chirrup', 'init', 'half.toml']\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\nmain()"
    )
    # -B: no half of a module's bytecode is left either, which other tests would fail with.
    ran = subprocess.run([sys.executable, "-B", "-c", program], capture_output=True, text=True, cwd=elsewhere)
    assert (ran.returncode, ran.stderr) == (1, "chirrup: half.toml: File too large\n")
    assert not (elsewhere / "half.toml").exists()
