"""Which form of the hot functions runs: reading and writing XML in Python, or compiled.

The compiled form is `chirrup.core.compiled`, built where there are a C compiler and expat's header. It does the same in
less than half the time; nothing needs it. Python runs if the environment variable CHIRRUP_PURE is set to anything.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

__all__ = ["FORM", "reader", "writer"]

if TYPE_CHECKING:
    from chirrup.core.compiled import reader, writer
else:
    reader = writer = None
    if not os.environ.get("CHIRRUP_PURE"):
        with suppress(ImportError):
            from chirrup.core.compiled import reader, writer

FORM: Final = "Python" if writer is None else "compiled"
