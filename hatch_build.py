"""Compiles ``gateway/documents/_dots.c`` and its like while the package is built, and builds without them where that
cannot be done.

A wheel with it works on every Python from 3.11 on of its platform (the stable ABI); one without it works everywhere.
For an editable installation the module is laid beside its source.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.tags import platform_tags
from setuptools import Distribution, Extension

NAME = "gateway.documents._dots"
SOURCE = "gateway/documents/_dots.c"
SOURCES = (SOURCE, *(f"gateway/documents/_{name}.c" for name in ("code", "grey", "edges", "ink")))
ABI = "cp311-abi3"


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg]  # the builder's configuration is not used
    """Hatchling calls it once for a wheel, an editable one included."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the compiled module to the wheel."""
        if self.target_name != "wheel":
            return
        if version == "editable":
            for old in Path(self.root, SOURCE).parent.glob("_dots*.so"):
                old.unlink()
        self._scratch = tempfile.TemporaryDirectory()
        module = self._compiled(Path(self._scratch.name))
        if module is None:
            return
        if version == "editable":
            Path(self.root, SOURCE).with_name(module.name).write_bytes(module.read_bytes())
        else:
            build_data["force_include"][str(module)] = f"{Path(SOURCE).parent.as_posix()}/{module.name}"
        build_data["pure_python"] = False
        build_data["tag"] = f"{ABI}-{self._platform()}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was compiled for the wheel."""
        if self.target_name == "wheel":
            self._scratch.cleanup()

    def _compiled(self, folder: Path) -> Path | None:
        extension = Extension(NAME, [str(Path(self.root, source)) for source in SOURCES], py_limited_api=True)
        build = Distribution({"name": "faxgate", "ext_modules": [extension]}).get_command_obj("build_ext")
        build.build_lib, build.build_temp = str(folder / "lib"), str(folder / "temp")
        try:
            build.ensure_finalized()
            build.run()
        except Exception as error:  # no compiler, no headers, or what else a stranger's machine lacks
            self.app.display_warning(f"without the compiled half, pages take longer: {error}")
            return None
        return next(file for file in (folder / "lib").rglob("_dots*") if file.suffix in {".so", ".pyd"})

    @staticmethod
    def _platform() -> str:
        # The first tag of Linux that is no promise about the C library of other machines.
        tags = list(platform_tags())
        return next((tag for tag in tags if tag.startswith("linux_")), tags[0]) if sys.platform == "linux" else tags[0]
