from __future__ import annotations

import pytest

from chirrup.core.errors import StanzaError
from chirrup.core.values import parse_element
from chirrup.ext.registration.form import blank, username_and_password
from chirrup.ext.registration.payloads import Query


def filled(form: str, fields: str = "") -> Query:
    return Query.parse(
        parse_element(f"<query xmlns='jabber:iq:register'>{fields}<x xmlns='jabber:x:data' {form}</x></query>")
    )


BILL = "<field var='username'><value>bill</value></field><field var='password'><value>Calliope</value></field>"


def test_fields_that_are_asked_for_are_written_empty():
    assert str(Query(username="", password="").to_element()) == (
        "<query xmlns='jabber:iq:register'><username/><password/></query>"
    )


def test_plain_fields():
    assert username_and_password(Query(username="bill", password="Calliope")) == ("bill", "Calliope")
    assert username_and_password(Query()) == ("", "")


def test_a_form_takes_precedence():
    query = filled(f"type='submit'>{BILL}", "<username>ann</username><password>Terpsichore</password>")
    assert username_and_password(query) == ("bill", "Calliope")


def test_what_a_form_leaves_out_is_not_taken_from_the_fields():
    query = filled("type='submit'>", "<username>ann</username><password>Terpsichore</password>")
    assert username_and_password(query) == ("", "")


@pytest.mark.parametrize(
    "form",
    [
        f"type='cancel'>{BILL}",
        f"type='form'>{BILL}",
        f"type='submit'>{BILL}<field var='FORM_TYPE'><value>jabber:iq:register:cancel</value></field>",
    ],
)
def test_another_form(form: str):
    with pytest.raises(StanzaError) as error:
        username_and_password(filled(form))
    assert error.value.condition == "bad-request"


def test_the_blank_form_is_one_that_can_be_sent_back():
    form = blank("Choose.")
    assert form.form_type == "jabber:iq:register"
    assert [field.var for field in form.fields if field.required] == ["username", "password"]
