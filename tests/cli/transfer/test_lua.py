from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chirrup.cli.transfer.events import Unreadable
from chirrup.cli.transfer.lua import Table, read_items, read_table


def table(text: str | bytes) -> Table:
    Path("x.dat").write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_table(Path("x.dat"))


def plain(value: Any) -> Any:
    """Keyed values, and those in order under None."""
    if not isinstance(value, Table):
        return value
    found = {key: plain(each) for key, each in value.keyed.items()}
    return {**found, None: [plain(each) for each in value.listed]} if value.listed else found


def test_a_table_as_prosody_writes_it() -> None:
    found = table(
        'return {\n\t[false] = {\n\t\t["version"] = 7;\n\t};\n\t["romeo@montague.net"] = {\n\t\t["groups"] = {\n'
        '\t\t\t["Friends"] = true;\n\t\t};\n\t};\n\t{\n\t\t"A\\nB";\n\t\t["name"] = "FN";\n\t};\n};\n'
    )
    assert plain(found) == {
        False: {"version": 7},
        "romeo@montague.net": {"groups": {"Friends": True}},
        None: [{None: ["A\nB"], "name": "FN"}],
    }


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ('"a\\"b\\\\c"', 'a"b\\c'), ("'it\\'s'", "it's"), ('"\\226\\128\\156"', "“"), ('"\\xe2\\x80\\x9c"', "“"),
        ('"a\\\nb"', "a\nb"), ('"\\0"', b"\0"), ('"\\255"', b"\xff"), ('"\\z  a"', "a"), ('"Ä"', "Ä"), ('""', ""),
        ("10000", 10000), ("-3", -3), ("1.5e+3", 1500.0), ("0x1F", 31), (".5", 0.5), ("1795252154.25", 1795252154.25),
        ("true", True), ("false", False), ("nil", None), ("{}", {}), ("{1, 2; 3}", {None: [1, 2, 3]}),
        ('{ name = "x", [1] = "a"; [2] = "b"; [7] = "c" }', {"name": "x", None: ["a", "b"], 7: "c"}),
    ],
)  # fmt: skip
def test_values(written: str, value: Any) -> None:
    assert plain(table(f"return {{ -- a note\n x = {written} }}")) == {"x": value}


@pytest.mark.parametrize(
    "text",
    [
        'return os.execute("ls")', "return { x = os.time() }", "return { x = 1 + 1 }", "return { [{}] = 1 }",
        "return { x = ", "return {", 'return { "abc', "x = 1", "return 5", "return { f = function() end }",
        "return {" * 1000, "return " + "{" * 1000, "return { a b }", "return { 1 2 }",
        f"return {{ {'1' * 5000} }}", f"return {{ 0x{'f' * 5000} }}",
    ],
)  # fmt: skip
def test_nothing_else_is_read(text: str) -> None:
    with pytest.raises(Unreadable, match=r"x\.dat:1: it isn't what Prosody writes"):
        table(text)


def test_items_come_one_after_the_other_and_say_where() -> None:
    Path("x.list").write_text('item({\n\t["key"] = "a";\n});\nitem({\n\t["key"] = "b";\n});\nitem({ ["key"] = ')
    items = read_items(Path("x.list"))
    assert [(str(place), found.text("key")) for place, found in (next(items), next(items))] == [
        ("x.list:1", "a"), ("x.list:4", "b"),
    ]  # fmt: skip
    with pytest.raises(Unreadable, match=r"x\.list:7"):
        next(items)


def test_files_without_anything() -> None:
    assert plain(table("")) == {}
    Path("x.list").write_text("")
    assert list(read_items(Path("x.list"))) == []
    with pytest.raises(Unreadable, match=r"y\.dat: No such file"):
        read_table(Path("y.dat"))


@given(st.binary(max_size=200) | st.text(alphabet="return {}[]()=;,\"'\\x1.ent\n", max_size=200).map(str.encode))
def test_whatever_is_in_a_file_it_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, octets: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "anything.dat"
    file.write_bytes(octets)
    try:
        read = read_table(file)
    except Unreadable as refusal:
        assert "anything.dat" in str(refusal)
    else:
        assert isinstance(read, Table)
