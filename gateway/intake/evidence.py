"""Whether a mail of a stranger is from whom it says: DKIM or SPF for the domain of its From field, as DMARC wants it.

RFC 6376 (DKIM), RFC 7208 (SPF), RFC 7489 (DMARC: alignment, and the record that may ask for a strict one). A mail that
passes neither is refused whatever the domain's policy asks for: a fax costs money. Where the DNS does not answer and
nothing else decides, the mail comes again later.

A signature stays valid when somebody sends the mail on: it counts only where the To and Cc that it covers name every
number that the mail is for, and where no field stands twice, since one of them may have been put there later. So nobody
makes a fax to a number of his own of a mail that he was once sent. And it counts for a week after the Date that it
covers: for longer we do not remember which mails have been faxed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from ipaddress import IPv4Network, IPv6Network, ip_address
from itertools import islice
from time import time

from publicsuffixlist import PublicSuffixList

from gateway import logs
from gateway.dns import DnsTrouble, Resolver
from gateway.document import Offers, Signature
from gateway.errors import Kind, Refusal, refuse
from gateway.intake.places import NoPlace, Places
from gateway.intake.spf import Spf
from gateway.sandbox import Sandbox
from gateway.transaction import Spooled, Transaction

log = logs.logger(__name__)
#: Signatures of one mail that are looked at: those of its own domain.
MOST_VERIFIED = 5
#: How long after its Date a signed mail is taken: servers try for five days (RFC 5321, 4.5.4.1). Clocks may differ.
SIGNED_FOR = timedelta(days=7)
CLOCKS_DIFFER = timedelta(days=1)
#: Mails whose evidence is looked up at the same time: in all, and of one organisation, whose name servers may be slow
#: on purpose. Others wait so many seconds for a place.
MOST_AT_ONCE, MOST_OF_ONE, PATIENCE = 64, 8, 60
#: Mails of strangers that are with the readers at the same time: those of everybody else must not queue behind them.
MOST_WITH_READERS = 8
#: SPF results that say nothing because the DNS did not answer (RFC 7208, 2.6).
TEMPORARY = "temperror"
#: Says whether a signature vouches for every number that a mail is for.
Names = Callable[[Signature], bool]


@dataclass(frozen=True, slots=True)
class Relay:
    """A mail server of ours in front: what it writes of SPF into Authentication-Results as *authserv* is believed, when
    it connects from one of *networks*. Signatures are verified here all the same: its word would not say which."""

    authserv: str
    networks: tuple[IPv4Network | IPv6Network, ...]

    def speaks(self, peer: str) -> bool:
        """True when *peer* is this relay."""
        return any(ip_address(peer) in network for network in self.networks)


@dataclass(slots=True)
class Findings:
    """What does not prove a sender, in words; ``temporary`` when the DNS may prove him later."""

    said: list[str] = field(default_factory=list)
    temporary: bool = False


@dataclass(frozen=True, slots=True)
class Alignment:
    """How exactly a domain must fit that of the From field: in a strict way each, or by its organisation alone."""

    dkim_strict: bool = False
    spf_strict: bool = False
    certain: bool = True

    def fits(self, domain: str, author: str, *, strict: bool) -> bool:
        """Say whether *domain* is aligned with *author*'s; while the record is not known, only the same one is."""
        if strict or not self.certain:
            return domain == author
        return organisation(domain) == organisation(author)


class Evidence:
    """Judges mails. *relays* are mail servers of ours in front of listeners."""

    def __init__(self, resolver: Resolver, sandbox: Sandbox, relays: Sequence[Relay] = ()) -> None:
        self._resolver = resolver
        self._sandbox = sandbox
        self._spf = Spf(resolver, MOST_AT_ONCE)
        self._relays = relays
        self._places = Places(MOST_AT_ONCE, MOST_OF_ONE, PATIENCE)
        self._with_readers = asyncio.Semaphore(MOST_WITH_READERS)

    def stop(self) -> None:
        """End the threads."""
        self._spf.stop()

    async def offers(self, transaction: Transaction, message: Spooled) -> Offers:
        """Return what a mail offers as evidence; raises Refusal when it does not say whom it is from."""
        async with self._with_readers:
            offers = await self._sandbox.offers(message.fileno(), message.size, self._authserv(transaction))
        if not offers.header_from:
            raise refuse(
                Kind.SENDER_UNPROVEN,
                "the From field of the mail must have exactly one plain address; correct it in the mail program",
            )
        return offers

    async def prove(self, transaction: Transaction, message: Spooled, offers: Offers, names: Names) -> str:
        """Return what proves that the mail is from ``offers.header_from``, in words for the log.

        Raises Refusal: SENDER_UNPROVEN, or EVIDENCE_MISSING while the DNS does not answer.
        """
        author = offers.header_from.rpartition("@")[2]
        try:
            async with self._places.of(organisation(author)):
                return await self._prove(transaction, message, offers, author, names)
        except NoPlace:
            raise refuse(Kind.EVIDENCE_MISSING, _busy(author), author) from None

    async def _prove(
        self, transaction: Transaction, message: Spooled, offers: Offers, author: str, names: Names
    ) -> str:
        alignment = await self._alignment(author)
        findings = Findings()
        if self._authserv(transaction):
            if _by_relay(offers, author, alignment, findings):
                return f"spf={author} (relay)"
        elif await self._by_spf(transaction, author, alignment, findings):
            return f"spf={author}"
        if signature := await self._by_dkim(message, offers, author, alignment, findings, names):
            return f"dkim={signature.domain}"
        raise _unproven(offers.header_from, alignment, findings)

    def _authserv(self, transaction: Transaction) -> str:
        """Return the name of the relay that has passed the mail on, "" when it comes from elsewhere."""
        return next((relay.authserv for relay in self._relays if relay.speaks(transaction.peer)), "")

    async def _alignment(self, author: str) -> Alignment:
        """Read the DMARC record of a domain, else that of its organisation (RFC 7489, 6.6.3)."""
        for domain in dict.fromkeys((author, organisation(author))):
            try:
                records = await self._resolver.texts(f"_dmarc.{domain}")
            except DnsTrouble:
                return Alignment(certain=False)
            policies = [record for record in records if record.replace(" ", "").lower().startswith("v=dmarc1")]
            if len(policies) == 1:
                tags = dict(_tag(piece) for piece in policies[0].split(";") if "=" in piece)
                return Alignment(tags.get("adkim") == "s", tags.get("aspf") == "s")
        return Alignment()

    async def _by_spf(self, transaction: Transaction, author: str, alignment: Alignment, findings: Findings) -> bool:
        domain = transaction.sender.rpartition("@")[2].lower()
        if not alignment.fits(domain, author, strict=alignment.spf_strict):
            findings.said.append(f"the sender {domain} of the envelope is another domain, so SPF says nothing of it")
            return False
        result = await self._spf.check(transaction.peer, transaction.sender, transaction.helo)
        findings.temporary |= result == TEMPORARY
        if result != "pass":
            findings.said.append(f"SPF of {domain} says {result} for {transaction.peer}")
        return result == "pass"

    async def _by_dkim(
        self,
        message: Spooled,
        offers: Offers,
        author: str,
        alignment: Alignment,
        findings: Findings,
        names: Names,
    ) -> Signature | None:
        aligned = (one for one in offers.signatures if alignment.fits(one.domain, author, strict=alignment.dkim_strict))
        ours = list(islice(aligned, MOST_VERIFIED))
        counts = not offers.doubled and _is_of_these_days(offers)
        usable = [one for one in ours if names(one)] if counts else []
        if not usable:
            findings.said.append(_no_signature(author, ours, offers))
            return None
        records = await _gathered([self._key(one) for one in usable])
        findings.temporary |= any(key is None for _, key in records)
        faults = [f"the key {name} cannot be looked up now" for name, key in records if key is None]
        faults += [f"there is no key {name}" for name, key in records if key == ""]
        keys = {name: key for name, key in records if key}
        which = [one.number for one in usable if one.key_name in keys]
        verdicts = await self._verified(message, keys, which) if which else {}
        for one in usable:
            if verdicts.get(one.number) == "":
                return one
        faults += [fault for fault in verdicts.values() if fault]
        findings.said.append(f"DKIM of {author}: {', '.join(dict.fromkeys(faults))}")
        return None

    async def _verified(self, message: Spooled, keys: dict[str, str], which: list[int]) -> dict[int, str]:
        async with self._with_readers:
            return await self._sandbox.verify(message.fileno(), message.size, keys, which)

    async def _key(self, signature: Signature) -> tuple[str, str | None]:
        """Return the name and record of a key: "" where there is none, None while that is not known."""
        try:
            records = await self._resolver.texts(signature.key_name)
        except DnsTrouble:
            return signature.key_name, None
        return signature.key_name, records[0] if records else ""


def _by_relay(offers: Offers, author: str, alignment: Alignment, findings: Findings) -> bool:
    """Say whether SPF has proved the author, as our relay has found."""
    for method, result, domain in offers.relayed:
        if method != "spf":
            continue
        if result == "pass" and alignment.fits(domain, author, strict=alignment.spf_strict):
            return True
        findings.temporary |= result == TEMPORARY
        findings.said.append(f"the mail server in front says spf={result} for {domain}")
    return False


def _is_of_these_days(offers: Offers) -> bool:
    age = time() - offers.written_at
    return -CLOCKS_DIFFER.total_seconds() <= age <= SIGNED_FOR.total_seconds()


def _no_signature(author: str, ours: list[Signature], offers: Offers) -> str:
    if not ours:
        return f"there is no DKIM signature of {author} over the whole mail and its Date"
    if offers.doubled:
        return f"it has more than one {offers.doubled} field, so its DKIM signature does not count"
    if not _is_of_these_days(offers):
        return f"its Date is not of the last {SIGNED_FOR.days} days, so its DKIM signature does not count"
    if any(one.addressed for one in ours):
        return "the To and Cc that its DKIM signature covers do not name every number, so it does not count"
    return "its DKIM signature does not cover To and Cc"


def _busy(author: str) -> str:
    return f"many mails from {author} are being checked, and its name servers are slow; try again later"


def _unproven(author: str, alignment: Alignment, findings: Findings) -> Refusal:
    why = "; ".join(findings.said)
    if findings.temporary or not alignment.certain:
        return refuse(Kind.EVIDENCE_MISSING, f"whether this mail is from {author} cannot be checked now: {why}", author)
    return refuse(
        Kind.SENDER_UNPROVEN,
        f"nothing proves that this mail is from {author}: {why}; send it through your own mail server",
        author,
    )


def _tag(piece: str) -> tuple[str, str]:
    name, _, value = piece.partition("=")
    return name.strip().lower(), value.strip().lower()


async def _gathered(asked: list[Awaitable[tuple[str, str | None]]]) -> list[tuple[str, str | None]]:
    return list(await asyncio.gather(*asked))


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()


def organisation(domain: str) -> str:
    """Return the organisational domain: one label below the public suffix (RFC 7489, 3.2)."""
    return str(_suffixes().privatesuffix(domain) or domain)
