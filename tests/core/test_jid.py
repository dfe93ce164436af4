from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from precis_i18n import get_profile

from chirrup.core import jid as jid_module
from chirrup.core.errors import AddressError
from chirrup.core.jid import (
    CACHE_ENTRIES,
    CACHED_TEXT_LENGTH,
    JID,
    escape_local,
    unescape_local,
)


@pytest.fixture
def fresh_cache():
    jid_module._parsed.clear()
    yield jid_module._parsed
    jid_module._parsed.clear()


# RFC 7622 §3.5


@pytest.mark.parametrize(
    ("text", "local", "domain", "resource"),
    [
        ("juliet@example.com", "juliet", "example.com", ""),
        ("juliet@example.com/foo", "juliet", "example.com", "foo"),
        ("juliet@example.com/foo bar", "juliet", "example.com", "foo bar"),
        ("juliet@example.com/foo@bar", "juliet", "example.com", "foo@bar"),
        ("foo\\20bar@example.com", "foo\\20bar", "example.com", ""),
        ("fussball@example.com", "fussball", "example.com", ""),
        ("fu\u00dfball@example.com", "fu\u00dfball", "example.com", ""),
        ("\u03c0@example.com", "\u03c0", "example.com", ""),
        ("\u03c3@example.com/foo", "\u03c3", "example.com", "foo"),
        ("\u03c2@example.com/foo", "\u03c2", "example.com", "foo"),
        ("king@example.com/\u265a", "king", "example.com", "\u265a"),
        ("example.com", "", "example.com", ""),
        ("example.com/foobar", "", "example.com", "foobar"),
        ("a.example.com/b@example.net", "", "a.example.com", "b@example.net"),
        # Example 18 of the RFC calls this one wrong; its erratum 4560 takes that back, since OpaqueString allows it.
        ("juliet@example.com/ foo", "juliet", "example.com", " foo"),
    ],
)
def test_legal_jids_of_the_rfc(text, local, domain, resource):
    jid = JID.parse(text)
    assert (jid.local, jid.domain, jid.resource) == (local, domain, resource)
    assert str(jid) == jid.text == text
    assert jid == JID.of(local, domain, resource)


def test_capital_sigma_is_the_small_one_but_final_sigma_is_another():
    capital, small, final = (JID.parse(f"{letter}@example.com/foo") for letter in "\u03a3\u03c3\u03c2")
    assert capital == small
    assert final != small


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ('"juliet"@example.com', "localpart"),
        ("foo bar@example.com", "localpart"),
        ("@example.com/", "localpart"),
        ("henry\u2163@example.com", "localpart"),
        ("\u265a@example.com", "localpart"),
        ("juliet@", "domainpart"),
        ("/foobar", "domainpart"),
        ("", "domainpart"),
        ("@", "localpart"),
        ("/", "domainpart"),
        (".", "domainpart"),
        ("@example.org", "localpart"),
        ("example.org/", "resourcepart"),
        ("a@example.org/", "resourcepart"),
        ("a@b@example.org", "domainpart"),
        ("a@b/\u0000", "resourcepart"),
        ("a@b/tab\there", "resourcepart"),
        ("a@b/\ud800", "resourcepart"),
        ("\ud800@b", "localpart"),
        ("a@\ud800", "domainpart"),
        ("a\u0000@b", "localpart"),
    ],
)
def test_what_is_no_jid_is_refused_by_the_part_that_is_wrong(text, part):
    with pytest.raises(AddressError, match=f"^{part} "):
        JID.parse(text)


def test_an_error_names_the_fault_and_echoes_little_of_the_input():
    with pytest.raises(AddressError, match=r"has U\+2173 in it.*has compat"):
        JID.parse("henry\u2163@example.com")
    with pytest.raises(AddressError) as caught:
        JID.parse("x y" * 100_000 + "@example.com")
    assert len(str(caught.value)) < 150
    with pytest.raises(AddressError) as caught:
        JID.parse("\ud800\x1b[31m@example.com")
    str(caught.value).encode()
    assert "\x1b" not in str(caught.value)


# Localparts


@pytest.mark.parametrize("character", "\"&'/:<>@")
def test_of_refuses_the_excluded_characters_in_a_localpart(character):
    with pytest.raises(AddressError, match=r"^localpart "):
        JID.of(f"a{character}b", "example.org")


@pytest.mark.parametrize("character", "\uff02\uff06\uff07\uff0f\uff1a\uff1c\uff1e\uff20")
def test_a_wide_form_of_an_excluded_character_is_excluded_and_never_a_separator(character):
    with pytest.raises(AddressError, match=r"^localpart "):
        JID.parse(f"a{character}b@example.org")
    with pytest.raises(AddressError, match=r"^domainpart "):
        JID.parse(f"a@b{character}c")


@pytest.mark.parametrize("code", range(128))
def test_ascii_is_treated_as_precis_treats_it(code):
    character = chr(code)
    for profile, prepare in (
        ("UsernameCaseMapped", lambda: JID.of(character, "x").local),
        ("OpaqueString", lambda: JID.of("", "x", character).resource),
    ):
        try:
            expected = get_profile(profile).enforce(character)
        except UnicodeEncodeError:
            expected = None
        if profile == "UsernameCaseMapped" and character in "\"&'/:<>@":
            expected = None
        if expected is None:
            with pytest.raises(AddressError):
                prepare()
        else:
            assert prepare() == expected


@pytest.mark.parametrize(
    ("written", "prepared"),
    [
        ("Juliet", "juliet"),
        ("\uff2a\uff55liet", "juliet"),
        ("JOSE\u0301", "jos\u00e9"),
        ("\u212b", "\u00e5"),
    ],
)
def test_localparts_are_mapped_in_case_width_and_composition(written, prepared):
    assert JID.of(written, "example.org") is JID.of(prepared, "example.org")


def test_a_localpart_follows_the_bidi_rule():
    assert JID.parse("\u05d0\u05d1@example.org").local == "\u05d0\u05d1"
    with pytest.raises(AddressError, match="bidi rule"):
        JID.parse("a\u05d0@example.org")


# Resourceparts


def test_resources_keep_case_and_width_and_lose_other_spaces():
    assert JID.parse("a@b/Foo \uff21\u00a0\u2003x").resource == "Foo \uff21  x"
    assert JID.parse("a@b/e\u0301") == JID.parse("a@b/\u00e9")
    assert JID.parse("a@b/c/d@e/").resource == "c/d@e/"


# Lengths, in octets and after preparation


@pytest.mark.parametrize("unit", ["a", "\u00e9", "\u4e2d", "\U00020000"])
@pytest.mark.parametrize("part", ["localpart", "resourcepart"])
def test_localpart_and_resourcepart_hold_1023_octets(unit, part):
    def made(text: str) -> JID:
        return JID.of(text, "b") if part == "localpart" else JID.of("a", "b", text)

    count, rest = divmod(1023, len(unit.encode()))
    longest = "x" * rest + unit * count
    assert len(longest.encode()) == 1023
    assert longest in str(made(longest))
    with pytest.raises(AddressError, match=rf"^{part} .* longer than 1023 octets"):
        made(longest + "x")


def test_the_limit_is_for_what_preparation_leaves():
    decomposed = "u\u0308\u0304" * 511
    assert JID.of(decomposed, "b", decomposed).resource == "\u01d6" * 511
    with pytest.raises(AddressError, match="longer than 1023"):
        JID.of(decomposed + "aa", "b")


def test_a_domain_keeps_the_limits_of_the_dns_within_the_1023_octets():
    label = "a" * 63
    longest = ".".join([label] * 3 + ["b" * 61])
    assert len(longest) == 253
    assert JID.parse(longest).domain == longest
    assert JID.parse(longest + ".").domain == longest
    for wrong in (longest + "b", "a" * 64, ("a" * 31 + ".") * 31 + "b" * 31, ("a." * 512) + "b"):
        with pytest.raises(AddressError, match=r"^domainpart "):
            JID.parse(wrong)


def test_an_internationalized_domain_is_measured_as_it_is_in_the_dns():
    label = "\u4e2d" * 55
    assert JID.parse(label).domain == label
    with pytest.raises(AddressError, match=r"^domainpart "):
        JID.parse("\u4e2d" * 60)
    with pytest.raises(AddressError, match="253 octets"):
        JID.parse(".".join([label] * 5))


# Domainparts


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("localhost", "localhost"),
        ("my_host", "my_host"),
        ("Example.ORG.", "example.org"),
        ("a-b.c--d.e", "a-b.c--d.e"),
        ("ab--d.e", None),
        ("xn--bcher-kva.example", "b\u00fccher.example"),
        ("XN--BCHER-KVA.example", "b\u00fccher.example"),
        ("B\u00dcCHER.example", "b\u00fccher.example"),
        ("bu\u0308cher.example", "b\u00fccher.example"),
        ("stra\u00dfe.example", "stra\u00dfe.example"),
        ("xn--strae-oqa.example", "stra\u00dfe.example"),
        ("\uff45\uff58\uff41\uff4d\uff50\uff4c\uff45\u3002\uff4f\uff52\uff47", "example.org"),
        ("\uff58\uff4e--bcher-kva", "b\u00fccher"),
        ("example.org\u3002", "example.org"),
        ("\u039f\u0394\u039f\u03a3.gr", "\u03bf\u03b4\u03bf\u03c3.gr"),
        ("\u13e3\u13b3\u13a9", "\u13e3\u13b3\u13a9"),
        ("\u212a.example", "k.example"),
        ("\u05d0\u05d1.example", "\u05d0\u05d1.example"),
        ("example..org", None),
        ("example.org..", None),
        (".example.org", None),
        ("-a.example", None),
        ("a-.example", None),
        ("a b", None),
        ("a:5222", None),
        ("a*b", None),
        ("\u265a.example", None),
        ("xn--.example", None),
        ("xn--a.example", None),
        ("xn--abc-.example", None),
        ("xn--bcher-kva\u00fc", None),
        ("a\u05d0.example", None),
        ("\u0301a.example", None),
    ],
)
def test_host_names(written, canonical):
    if canonical is None:
        with pytest.raises(AddressError, match=r"^domainpart "):
            JID.parse(written)
    else:
        assert JID.parse(written).domain == canonical
        assert JID.parse(f"a@{written}/r").domain == canonical
        assert JID.parse(canonical).domain == canonical


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("[::1]", "[::1]"),
        ("[2001:DB8:0:0:0:0:0:1]", "[2001:db8::1]"),
        ("[::FFFF:192.0.2.1]", "[::ffff:192.0.2.1]"),
        ("[::ffff:c000:201]", "[::ffff:192.0.2.1]"),
        ("[fe80::1%25eth0]", "[fe80::1%25eth0]"),
        ("[::1].", "[::1]"),
        ("[fe80::1%eth0]", None),
        ("::1", None),
        ("[::1", None),
        ("[]", None),
        ("[1::2::3]", None),
        ("[192.0.2.1]", None),
        ("[::1]x", None),
        ("[v1.x]", None),
    ],
)
def test_ip_addresses(written, canonical):
    if canonical is None:
        with pytest.raises(AddressError, match=r"^domainpart "):
            JID.parse(written)
    else:
        assert JID.parse(f"a@{written}").domain == canonical
        assert JID.parse(f"a@{canonical}").domain == canonical


# What a JID is


def test_a_full_jid_knows_its_bare_jid_and_its_host():
    full = JID.parse("romeo@example.org/orchard")
    assert full.bare is JID.parse("romeo@example.org")
    assert full.host is JID.parse("example.org")
    assert full.bare.bare is full.bare
    assert full.bare.host is full.host
    assert full.host.bare is full.host.host is full.host
    assert (full.is_full, full.is_bare) == (True, False)
    assert (full.bare.is_full, full.bare.is_bare) == (False, True)
    assert JID.parse("example.org/x").bare is full.host


def test_with_resource_replaces_prepares_and_refuses():
    bare = JID.parse("romeo@example.org")
    full = bare.with_resource("e\u0301/@x")
    assert str(full) == "romeo@example.org/\u00e9/@x"
    assert str(full.with_resource("y")) == "romeo@example.org/y"
    assert full.with_resource("y").bare is bare
    assert str(JID.parse("example.org").with_resource("y")) == "example.org/y"
    for wrong in ("", "\u0000", "\ud800", "x" * 1024):
        with pytest.raises(AddressError, match=r"^resourcepart "):
            bare.with_resource(wrong)


def test_of_does_not_let_a_part_spill_into_another():
    for parts in (("a", "b/c"), ("a", "b@c"), ("a@b", "c"), ("a/b", "c"), ("", "a@b"), ("a", ""), ("", "", "r")):
        with pytest.raises(AddressError):
            JID.of(*parts)
    assert JID.of("A", "B", "C/d@e").text == "a@b/C/d@e"
    assert JID.of("", "b").text == "b"


def test_jids_are_compared_hashed_and_ordered_by_text():
    one, other = JID.parse("a@x/" + "r" * 300), JID.parse("A@x/" + "r" * 300)
    assert one is not other
    assert one == other
    assert hash(one) == hash(other)
    assert {one: 1}[other] == 1
    assert one != JID.parse("a@x")
    texts = ["b@x", "a@y", "a@x/2", "a@x/10", "x"]
    assert [str(jid) for jid in sorted(map(JID.parse, texts))] == sorted(texts)
    assert JID.parse("a@x") <= JID.parse("a@x") < JID.parse("b@x") >= JID.parse("a@x")


def test_a_jid_is_no_string():
    jid = JID.parse("a@x")
    assert jid != "a@x"
    assert jid.__eq__("a@x") is NotImplemented
    with pytest.raises(TypeError):
        assert jid < "b@x"  # type: ignore[operator]


def test_a_jid_does_not_change():
    jid = JID.parse("a@x/r")
    for name in ("local", "resource", "bare", "other"):
        with pytest.raises(AttributeError):
            setattr(jid, name, "z")
    with pytest.raises(AttributeError):
        del jid.local
    assert str(jid) == "a@x/r"
    assert not hasattr(jid, "__dict__")


def test_repr_is_how_to_make_it_and_copies_are_equal():
    jid = JID.parse("a@b/c")
    assert repr(jid) == "JID('a@b/c')"
    assert eval(repr(jid)) is jid
    assert pickle.loads(pickle.dumps(jid)) == jid
    assert copy.deepcopy(jid) == copy.copy(jid) == jid


# The cache


def test_one_instance_for_all_spellings(fresh_cache):
    jid = JID.parse("romeo@example.org/x")
    assert JID.parse("ROMEO@Example.org./x") is jid
    assert JID.parse("ROMEO@Example.org./x") is jid
    assert JID.of("romeo", "example.org", "x") is jid
    assert JID.parse("".join(["romeo@", "example.org/x"])) is jid


def test_the_cache_is_bounded_in_entries_and_forgets_the_oldest(fresh_cache):
    first = JID.parse("first@example.org")
    for number in range(CACHE_ENTRIES + 1000):
        JID.parse(f"A{number}@example.org")
        assert len(fresh_cache) <= CACHE_ENTRIES
    assert len(fresh_cache) >= CACHE_ENTRIES // 2
    assert JID.parse("first@example.org") is not first
    last = f"A{CACHE_ENTRIES + 999}@example.org"
    assert last in fresh_cache


def test_long_texts_are_not_cached(fresh_cache):
    longest = "a@b/" + "x" * (CACHED_TEXT_LENGTH - 4)
    assert JID.parse(longest) is JID.parse(longest)
    JID.parse(longest + "x")
    JID.parse("\u0130" * (CACHED_TEXT_LENGTH - 2) + "@b")
    assert max(map(len, fresh_cache)) == CACHED_TEXT_LENGTH


def test_what_is_no_jid_leaves_nothing_in_the_cache(fresh_cache):
    for wrong in ("a b@", "\ud800", "x/", "a@b@c"):
        with pytest.raises(AddressError):
            JID.parse(wrong)
    assert set(fresh_cache) <= {"x"}


def test_ascii_needs_neither_precis_nor_idna():
    program = (
        "import sys; from chirrup.core.jid import JID; JID.parse('Romeo@my-host.Example.org./Orchard (1)');"
        "print([name for name in ('precis_i18n', 'idna', 'ipaddress') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# Whatever comes

valid_local = st.text(
    st.characters(categories=["Ll", "Lo", "Nd", "Lu"], max_codepoint=0x24F) | st.sampled_from("!#$%*+-.=?_~\\"),
    min_size=1,
    max_size=30,
)
valid_domain = st.one_of(
    st.from_regex(r"[a-z0-9]([a-z0-9]{0,20}[a-z0-9])?(\.[A-Za-z]{1,10}){0,3}", fullmatch=True),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(lambda address: f"[{address.exploded}]"),
    st.text("\u00e4\u00f6\u00fc\u00c4\u00df\u4e2d\u6587xyz", min_size=1, max_size=12),
)
valid_resource = st.text(
    st.characters(categories=["L", "N", "P", "S", "Zs"], max_codepoint=0x10FF), min_size=1, max_size=30
).filter(lambda text: unicodedata.is_normalized("NFKC", text))


def parsed(text: str) -> JID | None:
    try:
        return JID.parse(text)
    except AddressError:
        return None


def assert_canonical(jid: JID) -> None:
    again = JID.parse(str(jid))
    assert again == jid
    assert (again.local, again.domain, again.resource) == (jid.local, jid.domain, jid.resource)
    assert str(again) == str(jid)
    assert JID.of(jid.local, jid.domain, jid.resource) == jid
    jid_module._parsed.clear()
    assert str(JID.parse(str(jid))) == str(jid)


@given(valid_local, valid_domain, valid_resource)
def test_a_prepared_jid_parses_to_itself(local, domain, resource):
    jid = parsed(f"{local}@{domain}/{resource}")
    if jid is not None:
        assert_canonical(jid)
    host = JID.parse(domain)
    assert_canonical(host)


@given(
    st.from_regex(r"[a-zA-Z0-9._+-]{1,40}", fullmatch=True), valid_domain, st.from_regex(r"[ -~]{1,40}", fullmatch=True)
)
def test_ordinary_jids_are_valid(local, domain, resource):
    jid = JID.parse(f"{local}@{domain}/{resource}")
    assert (jid.local, jid.resource) == (local.lower(), resource)
    assert_canonical(jid)


anything = st.text(
    st.characters(categories=None) | st.sampled_from("@/.[]:%-\u200c\u200d\u00b7\u0375\u05f3\u30fb\u0660\u06f0")
)


@given(anything)
@example("xn--@xn--a/xn--")
@example("\u200d@\u200d/\u200d")
@example("\u00b7@\u00b7/\u00b7")
@example("l\u00b7@l\u00b7/l\u00b7")
@example("\u0130@\u0130/\u0130")
@example("\uab70@\uab70")
@example("\u1e9e@\u1e9e")
def test_any_text_is_a_jid_or_an_address_error(text):
    jid = parsed(text)
    if jid is not None:
        assert_canonical(jid)


@given(anything, anything, anything)
def test_any_parts_are_a_jid_or_an_address_error(local, domain, resource):
    for parts in ((local, domain, resource), (local, "x"), ("", domain), ("a", "x", resource)):
        try:
            jid = JID.of(*parts)
        except AddressError:
            continue
        assert bool(jid.local) == bool(parts[0])
        assert_canonical(jid)


@given(st.text(st.characters(categories=["L", "M", "N"]), min_size=1, max_size=8))
def test_any_label_and_its_a_label_are_one_domain(label):
    import idna

    jid = parsed(label)
    if jid is not None:
        assert JID.parse(idna.encode(jid.domain).decode()) == jid
        assert_canonical(jid)


# XEP-0106


@pytest.mark.parametrize(
    ("shown", "escaped"),
    [
        ("space cadet", r"space\20cadet"),
        ('call me "ishmael"', r"call\20me\20\22ishmael\22"),
        ("at&t guy", r"at\26t\20guy"),
        ("d'artagnan", r"d\27artagnan"),
        ("/.fanboy", r"\2f.fanboy"),
        ("::foo::", r"\3a\3afoo\3a\3a"),
        ("<foo>", r"\3cfoo\3e"),
        ("user@host", r"user\40host"),
        (r"c:\net", r"c\3a\net"),
        (r"c:\\net", r"c\3a\\net"),
        (r"c:\cool stuff", r"c\3a\cool\20stuff"),
        (r"c:\5commas", r"c\3a\5c5commas"),
        ("here's_a_wild_&_/cr%zy/_address", r"here\27s_a_wild_\26_\2fcr%zy\2f_address"),
        (
            'here\'s_a_wild_&_/cr%zy/_address_for:<wv>("IMPS")',
            r"here\27s_a_wild_\26_\2fcr%zy\2f_address_for\3a\3cwv\3e(\22IMPS\22)",
        ),
        (r"\3and\2is\5cool", r"\5c3and\2is\5c5cool"),
        ("somenick!user\"&'/:<>\\3address", r"somenick!user\22\26\27\2f\3a\3c\3e\5c3address"),
        (r"\2plus\2is\4", r"\2plus\2is\4"),
        (r"foo\bar", r"foo\bar"),
        (r"foob\41r", r"foob\41r"),
        (r"a\2Fb", r"a\2Fb"),
        (r"\20x\20", r"\5c20x\5c20"),
        ("", ""),
    ],
)
def test_escaping_and_unescaping(shown, escaped):
    assert escape_local(shown) == escaped
    assert unescape_local(escaped) == shown


@pytest.mark.parametrize("text", [" x", "x ", " "])
def test_a_space_at_either_end_has_no_escape(text):
    with pytest.raises(AddressError, match=r"^localpart "):
        escape_local(text)


def test_an_escaped_space_at_either_end_is_not_one():
    assert unescape_local(r"\20x\20y\20") == r"\20x y\20"
    assert unescape_local(r"\20") == r"\20"


@given(st.text(st.sampled_from("\\ \"&'/:<>@02567acef") | st.characters()).filter(lambda text: text == text.strip(" ")))
def test_unescaping_undoes_escaping(text):
    escaped = escape_local(text)
    assert not set(escaped) & set(" \"&'/:<>@")
    assert unescape_local(escaped) == text
