"""What stands between the process and its C library, compiled where it is needed."""

import asyncio
from pathlib import Path


async def built(folder: Path, name: str) -> str:
    """Compile ``name.c`` of this package into *folder*; return the library's path, for LD_PRELOAD."""
    library, source = str(folder / f"{name}.so"), str(Path(__file__).with_name(f"{name}.c"))
    options = ("-O2", "-Wall", "-Wno-format-truncation", "-fPIC", "-shared")
    compiler = await asyncio.create_subprocess_exec("cc", *options, "-o", library, source)
    assert await compiler.wait() == 0, "a C compiler is needed"
    return library
