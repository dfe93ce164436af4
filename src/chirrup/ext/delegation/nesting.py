"""What service discovery tells in place of what is delegated (XEP-0355 §7.2)."""

from __future__ import annotations

from dataclasses import replace

from chirrup.core.errors import PayloadError
from chirrup.core.xml import Element
from chirrup.ext.delegation import NS
from chirrup.ext.disco.payloads import Feature, Identity, Info
from chirrup.ext.forms.payloads import Form
from chirrup.server.module import Addressee


def node(namespace: str, addressee: Addressee) -> str:
    """The node at which a component tells what it can do for the host, or for accounts."""
    return f"{NS}{'::' if addressee is Addressee.HOST else ':bare:'}{namespace}"


class Nested:
    """What the components have told, by namespace, and how it stands in the server's own answers."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._told: dict[tuple[str, bool], Info] = {}
        self.namespaces: tuple[str, ...] = ()

    def tell(self, namespace: str, addressee: Addressee, info: Info) -> None:
        features = info.features[: self._most]
        told = Info(None, info.identities[: self._most], features, tuple(filter(_form_type, info.forms[: self._most])))
        self._told[namespace, addressee is Addressee.HOST] = told

    def amend(self, addressee: Addressee, info: Info) -> Info:
        """The server's own answer without what is delegated, and with what the components say of it."""
        told = [self._told.get((ns, addressee is Addressee.HOST)) or Info() for ns in self.namespaces]
        features = {one for one in info.features if not self._delegated(one.var)}
        forms = {_form_type(form): form for form in info.forms if not self._delegated(_form_type(form))}
        identities = dict.fromkeys(info.identities)
        for each in told:
            features.update(each.features)
            identities.update(dict.fromkeys(each.identities))
            for form in each.forms:
                forms.setdefault(_form_type(form), form)
        return replace(
            info,
            identities=tuple(sorted(identities, key=_identity)),
            features=tuple(sorted(features, key=_var)),
            forms=tuple(forms.values()),
        )

    def _delegated(self, name: str) -> bool:
        return any(name == ns or name.startswith(f"{ns}#") for ns in self.namespaces)


def _form_type(form: Element) -> str:
    try:
        return Form.parse(form).form_type or ""
    except PayloadError:
        return ""


def _identity(identity: Identity) -> tuple[str, str, str]:
    return identity.category, identity.type, identity.name or ""


def _var(feature: Feature) -> str:
    return feature.var
