"""The end of a server that streams are taken from."""

import asyncio


async def closed(server: asyncio.Server) -> None:
    """Take no more connections. Those that are being taken are taken first: asyncio would let them fall, open, if their
    server were closed meanwhile (CPython 3.11, ``Server._attach``). Those that are open stay so."""
    for listening in server.sockets:
        asyncio.get_running_loop().remove_reader(listening.fileno())
    await asyncio.sleep(0.01)
    server.close()
