from __future__ import annotations

import pytest

from chirrup.core.errors import PayloadError
from chirrup.core.jid import JID
from chirrup.core.values import parse_element
from chirrup.core.xml import Element
from chirrup.ext.forms import NS
from chirrup.ext.forms.payloads import Field, Form, Item, Option, Reported

BOT = "jabber:bot"

CREATION = (
    "<x xmlns='jabber:x:data' type='form'>"
    "<title>Bot Configuration</title>"
    "<instructions>Fill out this form</instructions><instructions>to configure your new bot!</instructions>"
    "<field var='FORM_TYPE' type='hidden'><value>jabber:bot</value></field>"
    "<field type='fixed'><value>Section 1: Bot Info</value></field>"
    "<field var='botname' type='text-single' label='The name of your bot'/>"
    "<field var='public' type='boolean' label='Public bot?'><required/></field>"
    "<field type='fixed'><value>Section 2: Features</value></field>"
    "<field var='features' type='list-multi'><value>news</value><value>search</value>"
    "<option label='News'><value>news</value></option><option><value>search</value></option></field>"
    "<field var='invitelist' type='jid-multi'><desc>Tell all your friends about your new bot!</desc>"
    "<validate xmlns='http://jabber.org/protocol/xdata-validate'/></field>"
    "</x>"
)
FORM = Form(
    "form",
    "Bot Configuration",
    ("Fill out this form", "to configure your new bot!"),
    (
        Field.of("FORM_TYPE", BOT, "hidden"),
        Field(type="fixed", values=("Section 1: Bot Info",)),
        Field("botname", "text-single", "The name of your bot"),
        Field("public", "boolean", "Public bot?", required=True),
        Field(type="fixed", values=("Section 2: Features",)),
        Field("features", "list-multi", values=("news", "search"), options=(Option("news", "News"), Option("search"))),
        Field(
            "invitelist",
            "jid-multi",
            description="Tell all your friends about your new bot!",
            extensions=(Element("validate", "http://jabber.org/protocol/xdata-validate"),),
        ),
    ),
)


def form(inner, type_="submit"):
    return parse_element(f"<x xmlns='{NS}' type='{type_}'>{inner}</x>")


def test_a_form_to_fill_in():
    """After XEP-0004 example 2."""
    assert Form.parse(parse_element(CREATION)) == FORM
    assert str(FORM.to_element()) == CREATION
    assert Form.from_json(FORM.to_json()) == FORM


def test_an_answer():
    """After XEP-0004 example 3."""
    answer = Form.of(
        "submit",
        BOT,
        {
            "botname": "The Jabber Google Bot",
            "public": False,
            "maxsubs": 50,
            "features": ["news", "search"],
            "owner": JID("romeo@montague.net"),
            "invitelist": (JID("juliet@capulet.com"), JID("benvolio@montague.net")),
        },
    )
    again = Form.parse(answer.to_element())
    assert again == answer
    assert again.form_type == BOT
    assert again.values("botname") == ("The Jabber Google Bot",)
    assert again.values("public") == ("false",)
    assert again.values("maxsubs") == ("50",)
    assert again.values("features") == ("news", "search")
    assert again.field("owner").jids == (JID("romeo@montague.net"),)
    assert again.values("password") == ()
    assert again.field("password") is None


def test_a_table():
    """After XEP-0004 example 8."""
    text = (
        "<x xmlns='jabber:x:data' type='result'><title>Search</title>"
        "<reported><field var='name' label='Name'/><field var='url'/></reported>"
        "<item><field var='name'><value>Comune</value></field><field var='url'><value>http://a/</value></field></item>"
        "<item><field var='name'><value>Hellas</value></field><field var='url'><value/></field></item>"
        "</x>"
    )
    table = Form.parse(parse_element(text))
    assert table.reported == Reported((Field("name", label="Name"), Field("url")))
    assert table.items == (
        Item((Field.of("name", "Comune"), Field.of("url", "http://a/"))),
        Item((Field.of("name", "Hellas"), Field.of("url", ""))),
    )
    assert table.to_element() == parse_element(text)


def test_what_a_cancelled_form_is():
    assert Form.parse(form("", "cancel")) == Form("cancel")


@pytest.mark.parametrize(
    ("inner", "type_", "message"),
    [
        ("", "error", "the attribute 'type' of <x/> is wrong: 'error' is none of form, submit, cancel, result"),
        ("<field/>", "submit", "without the attribute 'var' must be of type 'fixed'"),
        ("<field var=''/>", "submit", "without the attribute 'var'"),
        ("<field type='hidden'/>", "form", "without the attribute 'var'"),
        ("<field var='a'/><field var='a'/>", "submit", "two fields of a form have the name 'a'"),
        ("<item><field var='a'/><field var='a'/></item>", "result", "two fields of a form have the name 'a'"),
        ("<field var='a' type='boolean'><value>1</value><value>0</value></field>", "form", "'a' of type 'boolean' has"),
        ("<field type='fixed'><value>1</value><value>2</value></field>", "form", "has more than one value"),
        ("<field var='a' type='text-single'><option><value>1</value></option></field>", "form", "has options"),
        ("<field var='a' type='list-single'><option/></field>", "form", "<option/> lacks the child <value/>"),
        ("<item><field var='a'/></item>", "submit", "a form of type 'submit' can't be a table"),
        ("<reported><field var='a'/></reported>", "form", "a form of type 'form' can't be a table"),
    ],
)
def test_forms_that_are_ambiguous(inner, type_, message):
    with pytest.raises(PayloadError, match=message):
        Form.parse(form(inner, type_))


@pytest.mark.parametrize(
    "inner",
    [
        "<field type='fixed'/><field type='fixed'/>",
        "<field var='a'><value>1</value><value>2</value></field>",
        "<field var='a' type='hidden'><value>1</value><value>2</value></field>",
        "<field var='a' type='list-multi'><value>1</value><value>2</value></field>",
        "<field var='a' type='colours'><value>1</value><value>2</value><option><value>1</value></option></field>",
        "<field var='a'><option><value>1</value></option></field>",
        "<item><field var='a'/></item><field var='a'/><reported><field var='a'/></reported>",
    ],
)
def test_forms_that_are_not(inner):
    assert Form.parse(form(inner, "result")).type == "result"


@pytest.mark.parametrize(("sent", "kind"), [(None, "text-single"), ("colours", "text-single"), ("hidden", "hidden")])
def test_a_type_that_is_not_known_is_that_of_a_line_of_text(sent, kind):
    assert Field("a", sent).kind == kind


@pytest.mark.parametrize(
    ("type_", "field", "form_type"),
    [
        ("form", "<field var='FORM_TYPE' type='hidden'><value>urn:a</value></field>", "urn:a"),
        ("result", "<field var='FORM_TYPE' type='hidden'><value>urn:a</value></field>", "urn:a"),
        ("submit", "<field var='FORM_TYPE'><value>urn:a</value></field>", "urn:a"),
        ("form", "<field var='FORM_TYPE'><value>urn:a</value></field>", ""),
        ("result", "<field var='FORM_TYPE' type='text-single'><value>urn:a</value></field>", ""),
        ("form", "<field var='FORM_TYPE' type='hidden'/>", ""),
        ("form", "", ""),
    ],
)
def test_what_a_form_is_about(type_, field, form_type):
    """XEP-0068 §4."""
    assert Form.parse(form(field, type_)).form_type == form_type


@pytest.mark.parametrize(
    ("values", "truth"),
    [((), False), (("",), False), (("0",), False), (("false",), False), (("1",), True), (("true",), True)],
)
def test_truth(values, truth):
    assert Field("a", values=values).boolean is truth


def test_values_as_what_they_are():
    field = Field("a", values=("a@example.com", "", "A@Example.com", "b@example.com"))
    assert field.jids == (JID("a@example.com"), JID("b@example.com"))
    assert field.value == "a@example.com"
    assert field.text == "a@example.com\n\nA@Example.com\nb@example.com"
    assert Field("a").value == Field("a").text == ""


def test_values_that_are_not_what_they_should_be():
    with pytest.raises(PayloadError, match="the value of the <field/> 'a' is wrong: 'yes' is neither true nor false"):
        Field("a", values=("yes",)).boolean  # noqa: B018
    with pytest.raises(PayloadError, match="a value of the <field/> 'a' is wrong: "):
        Field("a", values=("@",)).jids  # noqa: B018
