"""Builds the compiled form of the parser's and writer's hot functions into the wheel, where there are a C compiler and
expat's header. Where there aren't, or with CHIRRUP_PURE set, the wheel is of Python alone and does the same, slower.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER: Final = Path("src/chirrup/core/compiled")


class BuildHook(BuildHookInterface[Any]):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel":
            return
        os.chdir(self.root)
        for old in FOLDER.glob("*.so"):
            old.unlink()
        if os.environ.get("CHIRRUP_PURE"):
            return
        try:
            built = build()  # all or nothing
        except (Exception, SystemExit) as error:
            self.app.display_info(f"The parser isn't compiled, which makes it slower: {error}")
            return
        build_data["artifacts"] += built
        build_data["pure_python"] = False
        build_data["infer_tag"] = True


def build() -> list[str]:
    """Compile each module beside its source; their paths from here."""
    from Cython.Build import cythonize
    from setuptools import Distribution, Extension

    with tempfile.TemporaryDirectory() as temporary:
        options: dict[str, Any] = {"libraries": ["expat"], "include_dirs": [str(FOLDER)]}
        extensions = [
            Extension(".".join(source.with_suffix("").parts[1:]), [str(source)], **options)
            for source in sorted(FOLDER.glob("*.pyx"))
        ]
        modules = cythonize(extensions, include_path=["src"], build_dir=temporary, quiet=True)
        distribution = Distribution({"ext_modules": modules, "package_dir": {"": "src"}})
        command = distribution.get_command_obj("build_ext")
        command.build_lib = command.build_temp = temporary
        command.ensure_finalized()
        command.run()
        built = [Path(output) for output in command.get_outputs()]
        return [shutil.copy(output, FOLDER) for output in built]
