"""Which form of the hot functions runs: reading and writing XML in Python, or compiled.

The compiled form is `_accelerator`, built where there are a C compiler and expat's header. It does the same in less
than half the time; nothing needs it. Python runs if the environment variable CHIRRUP_PURE is set to anything.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

__all__ = ["FORM", "compiled"]

if TYPE_CHECKING:
    from chirrup.core import _accelerator as compiled
else:
    compiled = None
    if not os.environ.get("CHIRRUP_PURE"):
        with suppress(ImportError):
            from chirrup.core import _accelerator as compiled

FORM: Final = "Python" if compiled is None else "compiled"
