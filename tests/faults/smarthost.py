"""The smarthost is down, refuses for now or for good, takes a mail without saying so, and gives one back later."""

import asyncio
from pathlib import Path

from gateway.demo.catcher import CaughtMail
from tests.bounce import EXCHANGE, POSTFIX, bounce
from tests.faults.fault import Fault, Report
from tests.faults.judge import TO_OPERATOR
from tests.faults.scene import READERS, Scene, scene
from tests.scenarios.installation import REALM, SENDER

OURS = "fax@fax.test.example"
OPERATOR = f"operator@{REALM}"
#: Where it refuses and how, how many mails it takes without an answer, and whom it does not know.
TROUBLES: tuple[tuple[str, tuple[int, str] | None, int, set[str]], ...] = (
    ("RCPT", (450, "4.2.1 try later"), 0, set()),
    ("DATA", (451, "4.3.0 local error"), 0, set()),
    ("", None, 0, {SENDER, READERS[0]}),
    ("MAIL", (421, "4.3.2 shutting down"), 0, set()),
    ("", None, 1, set()),
)


async def run(folder: Path, size: int) -> Report:
    """*size* mails and as many received faxes while no mail goes out as it should; then it does, and some of them come
    back."""
    async with scene(folder) as stage, stage.house.serving():
        catcher = stage.house.catcher
        for index in range(size):
            trouble = TROUBLES[index % len(TROUBLES)]
            catcher.refuse_at, catcher.refuse_with, catcher.reset_after_dot, catcher.unknown = trouble
            stage.mail()
            await stage.receive()
            await asyncio.sleep(0.5)
        await stage.answered()
        await asyncio.sleep(1.0)
        port = catcher.port
        await catcher.stop()
        await asyncio.sleep(1.0)
        catcher.refuse_with, catcher.reset_after_dot, catcher.unknown = None, 0, set()
        await catcher.start(port=port)
        verdict = await stage.judged(patience=180)
        refused = len(stage.house.mails(OPERATOR))
        assert verdict.outcomes[TO_OPERATOR] <= refused, "each of them is told in a mail of its own"
        doubled = len(catcher.mails) - len({(mail.envelope_to, mail.parsed["Message-ID"]) for mail in catcher.mails})
        returned = await _come_back(stage, max(2, size // 4))
        verdict = await stage.judged()
        assert len(stage.house.mails(OPERATOR)) == refused + returned, "each that came back is told, once"
    note = (
        f"{doubled} mails came twice, each under its one Message-ID; "
        f"{refused} refused for good and {returned} that came back, each told to the operator"
    )
    return Report(size + 1 + returned, verdict, note=note)


async def _come_back(stage: Scene, most: int) -> int:
    """Return mails about received faxes, up to *most* and of one who was never refused, each twice.
    Return how many, when the operator knows of all."""
    taken = {mail.parsed["Message-ID"]: mail for mail in stage.house.mails(READERS[1], "received")}
    chosen = list(taken.values())[:most]
    before = len(stage.house.mails(OPERATOR))
    for index, mail in enumerate(chosen):
        form = (POSTFIX, EXCHANGE)[index % 2]
        for _ in range(2):
            assert await _returned(stage, mail, form) == "250 2.0.0 the mail is noted as undeliverable"
    await stage.house.until(lambda: len(stage.house.mails(OPERATOR)) >= before + len(chosen), "word of a bounce")
    status, shown = await stage.house.run("inbox", "show", str(chosen[0].parsed["X-Fax-Id"]))
    assert (status, "came back later" in shown) == (0, True), shown
    return len(chosen)


async def _returned(stage: Scene, mail: CaughtMail, form: str) -> str:
    message_id, recipient = str(mail.parsed["Message-ID"]), mail.envelope_to[0]
    assert mail.envelope_from == OURS, "nobody would be told that it came back"
    return await stage.relay.submit("", OURS, bounce(message_id, recipient=recipient, sender=OURS, form=form))


FAULT = Fault(
    "F10",
    "the smarthost down, refusing for now and for good, resetting behind the final dot, giving back later",
    run,
    short=10,
    long=200,
)
