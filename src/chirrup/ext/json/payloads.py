"""A JSON text as an element's content (XEP-0335 §3)."""

from __future__ import annotations

import json
from typing import Any, Self

from chirrup.core.errors import PayloadError
from chirrup.core.payload import Payload, payload, text
from chirrup.ext.json import NS


@payload("json", NS)
class JsonContainer(Payload):
    """A JSON text: `JsonContainer.of({"degrees": 21})`, and `container.value` at the other end."""

    text: str = text()

    @classmethod
    def of(cls, value: Any) -> Self:
        """The container of a value. Raises TypeError or ValueError for what JSON has no way to write."""
        return cls(json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False))

    @property
    def value(self) -> Any:
        """The value as Python has it. Raises PayloadError for a text that is no JSON, or that is nested too deep."""
        try:
            return json.loads(self.text, parse_constant=_refuse)
        except (ValueError, RecursionError) as error:
            raise PayloadError(f"<json/> has no JSON in it: {error}") from None


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON value")
