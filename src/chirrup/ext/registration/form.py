"""Registration as a data form: the same two fields, for clients that prefer forms (XEP-0077 §4)."""

from __future__ import annotations

from chirrup.core.errors import StanzaError
from chirrup.ext.forms import FORM_TYPE
from chirrup.ext.forms.payloads import Field, Form
from chirrup.ext.registration import NS
from chirrup.ext.registration.payloads import Query


def blank(instructions: str) -> Form:
    """The form to fill in."""
    fields = (
        Field.of(FORM_TYPE, NS, "hidden"),
        Field("username", "text-single", "Username", required=True),
        Field("password", "text-private", "Password", required=True),
    )
    return Form("form", "Registration", (instructions,), fields)


def username_and_password(query: Query) -> tuple[str, str]:
    """What was filled in; empty what wasn't. A form takes precedence over the plain fields (§4, rule 5).

    StanzaError "bad-request" for a form that is another one, or wasn't submitted."""
    form = query.form
    if form is None:
        return query.username or "", query.password or ""
    if form.type != "submit" or form.form_type not in ("", NS):
        raise StanzaError("bad-request", f"the form to submit has the FORM_TYPE {NS}")
    return _value(form, "username"), _value(form, "password")


def _value(form: Form, var: str) -> str:
    field = form.field(var)
    return "" if field is None else field.value
