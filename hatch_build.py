"""Compiles ``gateway/documents/_dots.c`` and its like while the package is built, and builds without them where that
cannot be done.

A wheel with them works on every Python from 3.11 on of its platform (the stable ABI); one without, everywhere.
For an editable installation the modules are laid beside their sources.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.tags import platform_tags
from setuptools import Distribution, Extension

#: The modules, and what they are made of.
MODULES = {
    "gateway.documents._dots": [
        f"gateway/documents/_{name}.c" for name in ("dots", "code", "grey", "edges", "ink", "walk")
    ],
    "gateway.smtp._lines": ["gateway/smtp/_lines.c"],
}
ABI = "cp311-abi3"
#: Else a compiler does what the Python at hand was built with; Debian's says -O2, and a scan takes half as long again.
OPTIMISED = [] if sys.platform == "win32" else ["-O3"]


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg]  # the builder's configuration is not used
    """Hatchling calls it once for a wheel, an editable one included."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the compiled modules to the wheel."""
        if self.target_name != "wheel":
            return
        if version == "editable":
            for module in (Path(self.root, *name.split(".")) for name in MODULES):
                for old in module.parent.glob(f"{module.name}.*so"):
                    old.unlink()
        self._scratch = tempfile.TemporaryDirectory()
        compiled = Path(self._scratch.name, "lib")
        for file in self._compiled(compiled):
            place = file.relative_to(compiled)
            if version == "editable":
                Path(self.root, place).write_bytes(file.read_bytes())
            else:
                build_data["force_include"][str(file)] = place.as_posix()
            build_data["pure_python"] = False
            build_data["tag"] = f"{ABI}-{self._platform()}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was compiled for the wheel."""
        if self.target_name == "wheel":
            self._scratch.cleanup()

    def _compiled(self, folder: Path) -> list[Path]:
        """Compile all into *folder*, each at its place in the package; return the files, none where that fails."""
        extensions = [
            Extension(
                name,
                [str(Path(self.root, source)) for source in sources],
                py_limited_api=True,
                extra_compile_args=OPTIMISED,
            )
            for name, sources in MODULES.items()
        ]
        build = Distribution({"name": "faxgate", "ext_modules": extensions}).get_command_obj("build_ext")
        build.build_lib, build.build_temp = str(folder), str(folder.with_name("temp"))
        try:
            build.ensure_finalized()
            build.run()
        except Exception as error:  # no compiler, no headers, or what else a stranger's machine lacks
            self.app.display_warning(f"without the compiled half, pages and mails take longer: {error}")
            return []
        return [file for file in folder.rglob("_*") if file.suffix in {".so", ".pyd"}]

    @staticmethod
    def _platform() -> str:
        # The first tag of Linux that is no promise about the C library of other machines.
        tags = list(platform_tags())
        return next((tag for tag in tags if tag.startswith("linux_")), tags[0]) if sys.platform == "linux" else tags[0]
