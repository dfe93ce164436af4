"""Registration as a data form: the same two fields, for clients that prefer forms (XEP-0077 §4)."""

from __future__ import annotations

from collections.abc import Iterable

from chirrup.core.errors import StanzaError
from chirrup.core.xml import Element
from chirrup.ext.registration import FORM, NS
from chirrup.ext.registration.payloads import Query


def blank(instructions: str) -> Element:
    """The form to fill in."""
    return Element(
        "x",
        FORM,
        Element("title", FORM, "Registration"),
        Element("instructions", FORM, instructions),
        Element("field", FORM, Element("value", FORM, NS), type="hidden", var="FORM_TYPE"),
        Element("field", FORM, Element("required"), type="text-single", var="username", label="Username"),
        Element("field", FORM, Element("required"), type="text-private", var="password", label="Password"),
        type="form",
    )


def username_and_password(query: Query) -> tuple[str, str]:
    """What was filled in; empty what wasn't. A form takes precedence over the plain fields (§4, rule 5).

    StanzaError "bad-request" for a form that is another one, or wasn't submitted."""
    form = _find(query.extensions)
    if form is None:
        return query.username or "", query.password or ""
    fields = {field.get("var"): field.child_text("value") for field in form.elements("field", FORM)}
    if form.get("type") != "submit" or fields.get("FORM_TYPE", NS) != NS:
        raise StanzaError("bad-request", f"the form to submit has the FORM_TYPE {NS}")
    return fields.get("username", ""), fields.get("password", "")


def _find(extensions: Iterable[Element]) -> Element | None:
    return next((one for one in extensions if (one.name, one.ns) == ("x", FORM)), None)
