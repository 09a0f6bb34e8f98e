"""What to do next: lines to copy, with the addresses, ports and paths of this very run."""

import os
import shlex
import shutil
import sys
from pathlib import Path

from gateway.demo.cast import CLINIC, OFFICE, fax_address
from gateway.demo.screen import Screen
from gateway.demo.stage import HOST, Stage

SUBJECT = "My first fax"
TEXT = "Please see the attachment."
#: The last four digits of a number, and what the emulated carrier makes of it (``carriers/emulator/numbers.py``).
NUMBERS = {
    "0001": "busy, every time: three tries, then a mail that says so",
    "0002": "nobody answers",
    "0003": "the call is cut off after the first page",
    "0004": "the number does not exist: not tried again",
    "0005": "busy once, then delivered",
    "0006": "the carrier takes the fax and drops the connection instead of answering: found, and sent once",
    "0007": "the carrier answers 503 twice: looked up, then sent once",
    "0008": "delivered without any webhook: found by polling within 10 seconds",
    "0009": "every webhook three times and shuffled: one receipt",
}


def show_advice(stage: Stage, screen: Screen) -> None:
    """Print everything that can be tried while *stage* runs."""
    _send(stage, screen)
    _look(stage, screen)
    _numbers(screen)
    _receive(stage, screen)


def _send(stage: Stage, screen: Screen) -> None:
    screen.title("Send one of your own")
    screen.say("Any mail client will do. These lines work as they are; put your own PDF in the place of the sample.")
    screen.say(f"{OFFICE.email} and {CLINIC.email} may send; everybody else is refused, and smtplog says so.")
    screen.say()
    screen.command(curl_line(stage))
    screen.say()
    screen.command(swaks_line(stage))
    screen.say()
    screen.command(python_lines(stage))


def _look(stage: Stage, screen: Screen) -> None:
    faxgate, config = faxgate_command(), shlex.quote(str(stage.folder.config))
    screen.title("Look at things")
    screen.command(f"{faxgate} queue list --config {config}")
    screen.command(f"{faxgate} outbox list --config {config}")
    screen.command(f"{faxgate} inbox list --config {config}")
    screen.command(f"{faxgate} smtplog list --config {config}")
    site, account = f"http://{HOST}:{stage.ports.http}", stage.cast.account_id.hex
    screen.command(f"curl -s -H 'X-Auth-Token: {stage.cast.token}' {site}/v2/accounts/{account}/faxes/smtplog")
    screen.command(f"ls -l {shlex.quote(str(stage.folder.mails))}")
    screen.say()
    screen.say(f"  {site}/  in a browser")
    screen.say(f"  {stage.folder.mails}  every mail that the gateway has sent")
    screen.say(f"  {stage.folder.log}  what it has to say about all this")


def _numbers(screen: Screen) -> None:
    screen.title("Numbers that misbehave")
    screen.say(f"Send to {fax_address('+12025550001')}, or with other last digits:")
    screen.say()
    for digits, what in NUMBERS.items():
        screen.say(f"  {digits}  {what}")


def _receive(stage: Stage, screen: Screen) -> None:
    screen.title("Receive one")
    screen.say(f"A fax from outside for {CLINIC.number}; it is mailed on to {CLINIC.email}.")
    screen.say()
    document = shlex.quote(_form_file("document", stage.folder.sample, ""))
    inbound = f"{stage.emulator.origin}/emulator/inbound"
    screen.command(f"curl -s -F to={CLINIC.number} -F from=+12025550142 -F {document} {inbound}")


def curl_line(stage: Stage) -> str:
    """A mail with the sample, sent by curl."""
    file = shlex.quote(_form_file("file", stage.folder.sample, ";type=application/pdf;encoder=base64"))
    return (
        f"curl -sS smtp://{HOST}:{stage.ports.smtp}"
        f" --mail-from {OFFICE.email} --mail-rcpt {CLINIC.fax_address}"
        f" -H 'From: {OFFICE.email}' -H 'To: {CLINIC.fax_address}' -H 'Subject: {SUBJECT}'"
        f" -F '={TEXT}' -F {file}"
    )


def swaks_line(stage: Stage) -> str:
    """The same by swaks."""
    return (
        f"swaks --server {HOST}:{stage.ports.smtp} --from {OFFICE.email} --to {CLINIC.fax_address}"
        f" --header 'Subject: {SUBJECT}' --body '{TEXT}'"
        f" --attach-type application/pdf --attach {shlex.quote('@' + str(stage.folder.sample))}"
    )


def python_lines(stage: Stage) -> str:
    """The same by Python alone."""
    return f"""\
python3 - <<'EOF'
import smtplib
from email.message import EmailMessage
from pathlib import Path

mail = EmailMessage()
mail["From"], mail["To"], mail["Subject"] = "{OFFICE.email}", "{CLINIC.fax_address}", "{SUBJECT}"
mail.set_content("{TEXT}")
document = Path({str(stage.folder.sample)!r}).read_bytes()
mail.add_attachment(document, maintype="application", subtype="pdf", filename="sample.pdf")
with smtplib.SMTP("{HOST}", {stage.ports.smtp}) as server:
    server.send_message(mail)
EOF"""


def faxgate_command() -> str:
    """Return how this installation's ``faxgate`` is called from a shell here."""
    script = Path(sys.executable).with_name("faxgate")
    if not script.exists():
        return f"{shlex.quote(sys.executable)} -m gateway"
    found = shutil.which("faxgate")
    if found and Path(found).samefile(script):
        return "faxgate"
    near = os.path.relpath(script)
    return shlex.quote(str(script) if near.startswith("..") else near)


def _form_file(name: str, path: Path, more: str) -> str:
    """A file in curl's --form: in quotes, since ; and , would end its name."""
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'{name}=@"{escaped}"{more}'
