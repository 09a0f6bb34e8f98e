"""Figures of the gateway on this machine: ``python -m benchmarks [NAME ...]``; without names, all.

Each prints a table with the spread over its rounds. Machines differ and are shared: compare rows of one run, not runs.
"""

import asyncio
import sys

from benchmarks import api, flood, latency, memory, office, pages, sandboxed, scale, smtp

ALL = {
    "smtp": smtp.run,
    "flood": flood.run,
    "latency": latency.run,
    "memory": memory.run,
    "pages": pages.run,
    "sandboxed": sandboxed.run,
    "office": office.run,
    "api": api.run,
    "scale": scale.run,
}


def main(names: list[str]) -> int:
    """Run the named benchmarks, or all."""
    if unknown := [name for name in names if name not in ALL]:
        print(f"there is no benchmark {unknown[0]}; there are: {', '.join(ALL)}", file=sys.stderr)
        return 2
    for name in names or ALL:
        print(f"\n== {name}: {(ALL[name].__doc__ or '').splitlines()[0]}", flush=True)
        asyncio.run(ALL[name]())
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
