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
    "gateway.documents._dots": [f"gateway/documents/_{name}.c" for name in ("dots", "code", "grey", "edges", "ink")],
    "gateway.smtp._lines": ["gateway/smtp/_lines.c"],
}
ABI = "cp311-abi3"


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg]  # the builder's configuration is not used
    """Hatchling calls it once for a wheel, an editable one included."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the compiled modules to the wheel."""
        if self.target_name != "wheel":
            return
        homes = {name: Path(*name.split(".")).parent for name in MODULES}
        if version == "editable":
            for name, home in homes.items():
                for old in Path(self.root, home).glob(f"{name.rpartition('.')[2]}.*so"):
                    old.unlink()
        self._scratch = tempfile.TemporaryDirectory()
        for module in self._compiled(Path(self._scratch.name)):
            home = homes[f"{'.'.join(module.parent.parts[-2:])}.{module.name.partition('.')[0]}"]
            if version == "editable":
                Path(self.root, home, module.name).write_bytes(module.read_bytes())
            else:
                build_data["force_include"][str(module)] = f"{home.as_posix()}/{module.name}"
            build_data["pure_python"] = False
            build_data["tag"] = f"{ABI}-{self._platform()}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was compiled for the wheel."""
        if self.target_name == "wheel":
            self._scratch.cleanup()

    def _compiled(self, folder: Path) -> list[Path]:
        extensions = [
            Extension(name, [str(Path(self.root, source)) for source in sources], py_limited_api=True)
            for name, sources in MODULES.items()
        ]
        build = Distribution({"name": "faxgate", "ext_modules": extensions}).get_command_obj("build_ext")
        build.build_lib, build.build_temp = str(folder / "lib"), str(folder / "temp")
        try:
            build.ensure_finalized()
            build.run()
        except Exception as error:  # no compiler, no headers, or what else a stranger's machine lacks
            self.app.display_warning(f"without the compiled half, pages and mails take longer: {error}")
            return []
        return [file for file in (folder / "lib").rglob("_*") if file.suffix in {".so", ".pyd"}]

    @staticmethod
    def _platform() -> str:
        # The first tag of Linux that is no promise about the C library of other machines.
        tags = list(platform_tags())
        return next((tag for tag in tags if tag.startswith("linux_")), tags[0]) if sys.platform == "linux" else tags[0]
