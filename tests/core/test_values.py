from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from enum import IntEnum
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chirrup.core.values import codec_for, format_datetime, parse_datetime, parse_element
from chirrup.core.xml import Element


class Code(IntEnum):
    CREATED = 201
    KICKED = 307


# XEP-0082


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("1969-07-21T02:56:15Z", datetime(1969, 7, 21, 2, 56, 15, tzinfo=UTC)),
        ("1969-07-20T21:56:15-05:00", datetime(1969, 7, 21, 2, 56, 15, tzinfo=UTC)),
        ("2002-09-10T23:08:25.5Z", datetime(2002, 9, 10, 23, 8, 25, 500_000, tzinfo=UTC)),
        ("2002-09-10T23:08:25.123456789Z", datetime(2002, 9, 10, 23, 8, 25, 123_456, tzinfo=UTC)),
        ("2002-09-10T23:08:25.000001+00:00", datetime(2002, 9, 10, 23, 8, 25, 1, tzinfo=UTC)),
        ("2016-12-31T23:59:60Z", datetime(2017, 1, 1, tzinfo=UTC)),
        (" 2024-02-29T00:00:00Z\n", datetime(2024, 2, 29, tzinfo=UTC)),
    ],
)
def test_moments(text, moment):
    assert parse_datetime(text) == moment
    assert parse_datetime(text).tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2002-09-10",
        "2002-09-10T23:08:25",
        "20020910T23:08:25",
        "2002-09-10 23:08:25Z",
        "2002-09-10T24:00:00Z",
        "2002-09-10T23:60:00Z",
        "2002-09-10T23:08:61Z",
        "2002-09-10T23:08:25.Z",
        "2002-09-10T23:08:25+0200",
        "2002-09-10T23:08:25+15:00",
        "2002-W37-2T23:08:25Z",
        "2002-02-30T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+05:00",
        "9999-12-31T23:59:60Z",
        "-0044-03-15T12:00:00Z",
        "٢٠٠٢-09-10T23:08:25Z",
    ],
)
def test_texts_that_name_no_moment(text):
    with pytest.raises(ValueError, match="is no date"):
        parse_datetime(text)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 1, 31, 12, tzinfo=UTC), "2026-01-31T12:00:00Z"),
        (datetime(2026, 1, 31, 12, tzinfo=timezone(timedelta(hours=1))), "2026-01-31T11:00:00Z"),
        (datetime(2026, 1, 31, 12, 0, 0, 250_000, tzinfo=UTC), "2026-01-31T12:00:00.250000Z"),
        (datetime(33, 4, 3, tzinfo=UTC), "0033-04-03T00:00:00Z"),
    ],
)
def test_moments_are_written_in_utc(moment, text):
    assert format_datetime(moment) == text


def test_a_time_without_a_zone_is_no_moment():
    with pytest.raises(ValueError, match="time zone"):
        format_datetime(datetime(2026, 1, 31))


@given(st.datetimes(timezones=st.just(UTC)))
def test_any_moment_is_read_again(moment):
    assert parse_datetime(format_datetime(moment)) == moment


# the other types: XML Schema part 2, §3


@pytest.mark.parametrize(
    ("type_", "text", "value"),
    [
        (str, " as it is ", " as it is "),
        (int, "7", 7),
        (int, "-7", -7),
        (int, " +07\n", 7),
        (float, "7", 7.0),
        (float, "-.5", -0.5),
        (float, "1.5E3", 1500.0),
        (bool, "true", True),
        (bool, "1", True),
        (bool, "false", False),
        (bool, " 0 ", False),
        (bytes, "", b""),
        (bytes, "AP8=", b"\x00\xff"),
        (bytes, "AP\n\t8 =", b"\x00\xff"),
        (Literal["a", "b"], "b", "b"),
        (Code, "307", Code.KICKED),
    ],
)
def test_texts_of_each_type(type_, text, value):
    decoded = codec_for(type_).decode(text)
    assert decoded == value
    assert type(decoded) is type(value)
    assert codec_for(type_).decode(codec_for(type_).encode(value)) == value


@pytest.mark.parametrize(
    ("type_", "text"),
    [
        (int, ""),
        (int, "1_000"),
        (int, "1.0"),
        (int, "٣"),
        (int, "0x10"),
        (int, "9" * 5_000),
        (float, ""),
        (float, "."),
        (float, "nan"),
        (float, "INF"),
        (float, "1e999"),
        (float, "1_0.0"),
        (bool, ""),
        (bool, "True"),
        (bool, "yes"),
        (bytes, "AP8"),
        (bytes, "A!P8="),
        (bytes, "é"),
        (Literal["a", "b"], "c"),
        (Literal["a", "b"], " a"),
        (Code, "KICKED"),
        (Code, "999"),
    ],
)
def test_texts_that_are_none_of_the_type(type_, text):
    with pytest.raises(ValueError, match=r"is n(o|one|either)\b"):
        codec_for(type_).decode(text)


def test_numbers_that_xml_has_no_text_for():
    with pytest.raises(ValueError, match="only finite numbers"):
        codec_for(float).encode(float("inf"))


@pytest.mark.parametrize("type_", [complex, list[str], Literal[1, 2], None, "str"])
def test_types_that_no_field_can_have(type_):
    with pytest.raises(TypeError, match="is no type of value"):
        codec_for(type_)


# elements as text


def test_an_element_as_text():
    element = Element("a", "urn:a", Element("b", "urn:b", "x < y"), lang="de")
    assert parse_element(str(element)) == element
    assert parse_element(" <a/>\n") == Element("a")


@pytest.mark.parametrize(
    "text",
    ["", "text", "<a>", "<a/><b/>", "<a/>text", "<a/><b", "</fragment>", "<a/></fragment>", "<a:b/>", "<a/></a>"],
)
def test_texts_that_are_not_one_element(text):
    with pytest.raises(ValueError, match=r"is not one whole element|is no XML"):
        parse_element(text)
