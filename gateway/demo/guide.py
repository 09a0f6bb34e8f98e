"""``faxgate demo``: the whole gateway on this machine, one fax going round, and then whatever the visitor tries."""

import asyncio
import signal
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from gateway.demo.advice import show_advice
from gateway.demo.news import News
from gateway.demo.screen import Screen
from gateway.demo.stage import Ports, Stage, reserved, staged
from gateway.demo.state import StateFolder
from gateway.demo.tour import Stuck, show_round
from gateway.errors import ConfigurationError

#: What a shell says of a program that Ctrl-C has ended (128 + SIGINT).
INTERRUPTED = 130
NEWS_EVERY = 0.3


def run_demo(state_dir: Path, smtp_port: int, http_port: int, once: bool) -> int:
    """Run the demo in *state_dir* (made when missing) and return the exit code.

    Port 0 takes any free one. With *once* it ends after the round, else when it is told to (Ctrl-C, SIGTERM). The
    code is 0, 1 when something stood in the way or a step of the round did not come, 130 when it was interrupted
    before the round was complete.
    """
    screen = Screen()
    folder = StateFolder(state_dir)
    try:
        with reserved("--smtp-port", smtp_port) as smtp, reserved("--http-port", http_port) as http, folder.used():
            return asyncio.run(_guide(folder, Ports(smtp, http), screen, once=once))
    except (ConfigurationError, OSError) as error:
        sys.stderr.write(f"faxgate demo: {error}\n")
        return 1


async def _guide(folder: StateFolder, ports: Ports, screen: Screen, *, once: bool) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def leave(number: signal.Signals) -> None:
        # Once is a wish; the second time it is meant at once, whatever is still to be finished.
        loop.remove_signal_handler(number)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, leave, number)
    screen.title("Faxgate: a mail becomes a fax, the fax is received, and what was received is mailed on")
    screen.say("The carrier and the mail server are played by this program; nothing leaves the machine.")
    screen.say()
    async with staged(folder, ports) as stage:
        code = await _round(stage, screen, stop)
        if code == 0 and not once:
            await _wait(stage, screen, stop)
        return 1 if stage.daemon.failed else code


async def _round(stage: Stage, screen: Screen, stop: asyncio.Event) -> int:
    """Show the round, unless somebody wants to leave before its end."""
    showing = asyncio.create_task(show_round(stage, screen))
    leaving = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({showing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not showing.done():
            return INTERRUPTED
        await showing
    except Stuck as stuck:
        screen.problem(f"The round is not complete: {stuck}. The log is {stage.folder.log}")
        return 1
    finally:
        for task in (showing, leaving):
            task.cancel()
        await asyncio.gather(showing, leaving, return_exceptions=True)
    return 0


async def _wait(stage: Stage, screen: Screen, stop: asyncio.Event) -> None:
    """Say what can be tried, and tell the news until somebody wants to leave."""
    news = News(stage.daemon.db, stage.catcher, datetime.now(UTC))
    show_advice(stage, screen)
    screen.title("Waiting for your faxes. Ctrl-C ends this.")
    while not stop.is_set() and not stage.daemon.stopping.is_set():
        for at, label, text in await news.since_last():
            screen.news(at, label, text)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), NEWS_EVERY)
