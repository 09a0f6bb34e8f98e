"""The judge of every fault test: reads what the outside has seen, and says what was lost, doubled, stuck or untrue.

It knows nothing of the gateway's database, only three logs of those around it (JSON lines):

``acks``     of the mail client: each mail and recipient when it is first sent, acknowledged (250) or refused for good
``carrier``  of the carrier's emulator: each fax when it begins and when it ends (``carriers/emulator/journal.py``)
``mails``    of the mail catcher: each mail that was delivered, and each address that was refused for good
             (``demo/catcher.py``)
"""

import itertools
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Line = dict[str, Any]
_FAX_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
#: The left side of a Message-ID says what a mail tells.
_ENDS = {"receipt": "delivered", "failure": "failed"}
#: The outcome of a fax whose sender was refused by his own mail server: somebody knows of it all the same.
TO_OPERATOR = "told the operator"


@dataclass(frozen=True)
class Logs:
    """Where the three logs are."""

    acks: Path
    carrier: Path
    mails: Path

    @classmethod
    def below(cls, folder: Path) -> "Logs":
        """The usual names in *folder*."""
        return cls(folder / "acks.jsonl", folder / "carrier.jsonl", folder / "mails.jsonl")


@dataclass(frozen=True)
class Fault:
    """One thing that must not be. ``kind``: lost, doubled, stuck or untrue."""

    kind: str
    what: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.what}"


@dataclass
class Verdict:
    """What became of everything. ``faults`` is empty when each promise was kept."""

    acked: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)  # delivered, failed, held
    received: int = 0
    faults: list[Fault] = field(default_factory=list)

    def count(self, kind: str) -> int:
        """How many faults there are of one kind."""
        return sum(fault.kind == kind for fault in self.faults)

    @property
    def unfinished(self) -> bool:
        """Whether time may still mend what is wrong."""
        return any(fault.kind in {"lost", "stuck"} for fault in self.faults)

    def require(self) -> None:
        """Raise AssertionError unless every promise was kept."""
        assert not self.faults, "\n".join(map(str, self.faults[:50]))


def judge(logs: Logs, recipients: Sequence[str] = ()) -> Verdict:
    """Read the logs and judge. *recipients* are those who shall have every received fax by mail."""
    case = _Case(_read(logs.acks), _read(logs.carrier), _read(logs.mails))
    verdict = Verdict()
    case.outgoing(verdict)
    case.at_the_carrier(verdict)
    case.incoming(verdict, [each.casefold() for each in recipients])
    return verdict


def _read(path: Path) -> list[Line]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


class _Case:
    """The evidence, put in order."""

    def __init__(self, acks: list[Line], carrier: list[Line], mails: list[Line]) -> None:
        self.sent = {(line["mail"], line["to"]) for line in acks}
        self.acked: dict[tuple[str, str], set[str]] = defaultdict(set)
        for line in acks:
            if line["step"] == "acked":
                self.acked[line["mail"], line["to"]].add(line["fax_id"])
        self.faxes: dict[str, dict[str, list[Line]]] = {"outbound": defaultdict(list), "inbound": defaultdict(list)}
        for line in carrier:
            self.faxes[line["direction"]][line["id"]].append(line)
        self.mails = [line for line in mails if "refused" not in line]
        self.refused = Counter(line["refused"] for line in mails if "refused" in line)
        self.told = self._told()

    # -- faxes out -----------------------------------------------------------------------------------------------------

    def outgoing(self, verdict: Verdict) -> None:
        """Each acknowledged mail and recipient has exactly one outcome, and that is what happened."""
        seen: dict[str, tuple[str, str]] = {}
        verdict.acked = len(self.acked)
        for key, ids in self.acked.items():
            name = f"{key[0]} to {key[1]}"
            fax_id = min(ids)
            if len(ids) > 1 or not _FAX_ID.fullmatch(fax_id):
                verdict.faults.append(Fault("doubled", f"{name} was acknowledged as {sorted(ids)}"))
            if fax_id in seen:
                verdict.faults.append(Fault("lost", f"{name} was taken for {seen[fax_id][0]}"))
            seen[fax_id] = key
            self._outcome(verdict, name, key[1], self.told[fax_id])
        if verdict.outcomes[TO_OPERATOR] > self.refused.total():
            verdict.faults.append(Fault("lost", "more senders were not told than mails were refused"))

    def _told(self) -> dict[str, dict[str, set[str]]]:
        """By fax id and tale: the Message-IDs of the mails that told it."""
        told: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        for mail in self.mails:
            told[mail["x_fax_id"]][_tale(mail)].add(mail["message_id"])
        return told

    def _outcome(self, verdict: Verdict, name: str, number: str, told: dict[str, set[str]]) -> None:
        if len(told.get("delayed", ())) > 1:  # no outcome: an outcome follows
            verdict.faults.append(Fault("doubled", f"{name} was told {len(told['delayed'])} times that it is late"))
        ends = [(_ENDS[tale], each) for tale, ids in told.items() if tale in _ENDS for each in ids]
        if len(ends) > 1:
            verdict.faults.append(Fault("doubled", f"{name} has {len(ends)} outcomes: {sorted(ends)}"))
        elif ends:
            self._truth(verdict, name, number, ends[0][0])
        elif told.get("held"):
            verdict.outcomes["held"] += 1
        elif told.get("operator") and self.refused:
            verdict.outcomes[TO_OPERATOR] += 1
        else:
            known = any(lines[0]["to"] == number for lines in self.faxes["outbound"].values())
            verdict.faults.append(Fault("stuck" if known else "lost", f"{name} has no outcome"))

    def _truth(self, verdict: Verdict, name: str, number: str, outcome: str) -> None:
        verdict.outcomes[outcome] += 1
        asked = sum(to == number for _, to in self.sent)
        arrived = len(self._delivered(number))
        if (outcome == "delivered" and not arrived) or (outcome == "failed" and arrived and asked == 1):
            verdict.faults.append(Fault("untrue", f"{name} was told to be {outcome}; {arrived} arrived"))

    def _delivered(self, number: str) -> list[list[Line]]:
        ended = (lines for lines in self.faxes["outbound"].values() if lines[-1]["status"] == "delivered")
        return [lines for lines in ended if lines[0]["to"] == number]

    def at_the_carrier(self, verdict: Verdict) -> None:
        """Each fax at the carrier has exactly one mail that asked for it, and comes to an end."""
        by_number: dict[str, list[list[Line]]] = defaultdict(list)
        for lines in self.faxes["outbound"].values():
            by_number[lines[0]["to"]].append(lines)
        asked = Counter(to for _, to in self.sent)
        for number, faxes in by_number.items():
            arrived = len(self._delivered(number))
            if arrived > asked[number]:
                verdict.faults.append(Fault("doubled", f"{arrived} faxes to {number}, asked for: {asked[number]}"))
            elif not asked[number]:
                verdict.faults.append(Fault("doubled", f"a fax to {number}, which nobody asked for"))
            if any(lines[-1]["status"] not in {"delivered", "failed"} for lines in faxes):
                verdict.faults.append(Fault("stuck", f"a fax to {number} does not end at the carrier"))
            for earlier, later in _overlapping(faxes):
                verdict.faults.append(Fault("doubled", f"two calls to {number} at once: {earlier} and {later}"))

    # -- faxes in ------------------------------------------------------------------------------------------------------

    def incoming(self, verdict: Verdict, recipients: list[str]) -> None:
        """Each received fax is one document that everybody has under one Message-ID."""
        expected = Counter(lines[-1]["sha256"] for lines in self.faxes["inbound"].values() if _received(lines))
        verdict.received = expected.total()
        for fax_id, lines in self.faxes["inbound"].items():
            if lines[-1]["status"] not in {"received", "failed"}:
                verdict.faults.append(Fault("stuck", f"the incoming fax {fax_id} does not end at the carrier"))
        mailed = [(digest, mail) for mail in self.mails if _tale(mail) == "received" for digest in mail["documents"]]
        for digest, mail in mailed:
            if digest not in expected:
                verdict.faults.append(Fault("untrue", f"{mail['message_id']} has a document that never came"))
        for digest, number in expected.items():
            mine = [mail for one, mail in mailed if one == digest]
            self._document(verdict, digest[:12], number, mine, recipients)

    def _document(self, verdict: Verdict, name: str, number: int, mails: list[Line], to: list[str]) -> None:
        stored = {mail["x_fax_id"] for mail in mails}
        if len(stored) > number:
            verdict.faults.append(Fault("doubled", f"the received document {name} was stored as {sorted(stored)}"))
        for recipient in to:
            ids = {mail["message_id"] for mail in mails if mail["to"].casefold() == recipient}
            # Whose mail server refused him for good is not told; the operator is, of each such fax.
            others = sum(len(self.told[fax_id]["operator"]) for fax_id in stored) if self.refused[recipient] else 0
            if len(ids) + others < number:
                verdict.faults.append(Fault("lost", f"{recipient} has {len(ids)} of {number} mails with {name}"))
            elif len(ids) > number:
                verdict.faults.append(Fault("doubled", f"{recipient} has {len(ids)} mails with {name}: {sorted(ids)}"))


def _tale(mail: Line) -> str:
    return str(mail["message_id"]).strip("<>").partition(".")[0]


def _received(lines: list[Line]) -> bool:
    return bool(lines[-1]["status"] == "received")


def _overlapping(faxes: Iterable[list[Line]]) -> list[tuple[str, str]]:
    """Faxes to one number of which both had their document, and the later began before the earlier had ended."""
    whole = sorted((lines for lines in faxes if lines[-1]["sha256"]), key=lambda lines: str(lines[0]["at"]))
    pairs = itertools.pairwise(whole)
    return [(one[0]["id"], two[0]["id"]) for one, two in pairs if two[0]["at"] < one[-1]["at"]]
