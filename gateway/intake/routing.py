"""Which account, faxboxes and number a recipient address means: a snapshot in memory, so that RCPT asks no database."""

from collections import defaultdict
from dataclasses import dataclass, field
from uuid import UUID

from gateway.account import Account, SmtpUser
from gateway.address import parse_mailbox, parse_number, shown
from gateway.application import Application
from gateway.errors import Kind, refuse
from gateway.faxbox import NO_MATCH, Faxbox
from gateway.store import provision
from gateway.store.database import Database
from gateway.store.schema import accounts, applications, faxboxes, smtp_users


@dataclass(frozen=True, slots=True)
class Route:
    """Where a recipient leads: ``boxes`` are the faxboxes that may send it, several for an account's realm."""

    account: Account
    boxes: tuple[Faxbox, ...]
    number: str
    domain: str


@dataclass(frozen=True, slots=True)
class Routing:
    """A snapshot of who owns which mail host, as of one revision."""

    revision: int = 0
    hosts: dict[str, tuple[Account, tuple[Faxbox, ...]]] = field(default_factory=dict)
    applications: dict[int, Application] = field(default_factory=dict)
    users: dict[UUID, SmtpUser] = field(default_factory=dict)

    @classmethod
    async def load(cls, db: Database) -> "Routing":
        """Read the snapshot. The revision is read first: a change in between makes it old at once."""
        revision = await provision.routing_revision(db)
        people = {row["id"]: provision.account_from(row) for row in await db.rows(provision.all_of(accounts))}
        boxes = [provision.faxbox_from(row) for row in await db.rows(provision.all_of(faxboxes))]
        programs = [provision.application_from(row) for row in await db.rows(provision.all_of(applications))]
        users = [provision.smtp_user_from(row) for row in await db.rows(provision.all_of(smtp_users))]
        by_account: dict[UUID, list[Faxbox]] = defaultdict(list)
        for box in boxes:
            by_account[box.account_id].append(box)
        hosts = {account.realm: (account, tuple(by_account[account.id])) for account in people.values()}
        for box in boxes:
            for host in filter(None, (box.host, box.custom_host)):
                hosts[host] = (people[box.account_id], (box,))
        return cls(revision, hosts, {program.id: program for program in programs}, {user.id: user for user in users})

    def account_of(self, path: str) -> Account | None:
        """Return the account that the domain of *path* belongs to; for the log of a refusal."""
        found = self.hosts.get(path.rpartition("@")[2].lower())
        return None if found is None else found[0]

    def route(self, path: str) -> Route:
        """Return where the forward-path *path* leads, or raise the Refusal that says why nowhere."""
        mailbox = parse_mailbox(path)
        if mailbox is None:
            raise refuse(
                Kind.NUMBER_INVALID,
                f"{shown(path)} is not an address of the form +12025550123@fax.example.com",
                path,
            )
        if mailbox.domain not in self.hosts:
            raise refuse(
                Kind.DOMAIN_UNKNOWN, f"no faxes are sent for {shown(mailbox.domain)} here; check the address", path
            )
        account, boxes = self.hosts[mailbox.domain]
        return Route(account, boxes, parse_number(mailbox.local, account.country), mailbox.domain)

    def choose(self, sender: str, route: Route, login: SmtpUser | None = None) -> Faxbox:
        """Return the one faxbox of *route* that *sender* may use: the most exact entry of a permission list wins.

        Who has logged in uses his own faxbox. In others of his account the lists decide; in those of other accounts he
        is a stranger, since what addresses he has was said by his own. Who has another password since, or is deleted,
        is not logged in any more.
        """
        if login is not None:
            if self.users.get(login.id) != login:
                sentence = "your login was changed while you were connected; connect again and log in"
                raise refuse(Kind.SETTINGS_CHANGED, sentence, login.name)
            for box in route.boxes:
                if box.id == login.faxbox_id:
                    return self._usable(box)
            if login.account_id != route.account.id:
                raise refuse(
                    Kind.SENDER_NOT_PERMITTED,
                    f"the user who has logged in belongs to another account than {route.domain}; "
                    "send to the number at your own fax address",
                    sender,
                )
        fits = [(box.permits(sender), box) for box in route.boxes]
        best = max((fit for fit, _ in fits), default=NO_MATCH)
        if best == NO_MATCH:
            raise refuse(
                Kind.SENDER_NOT_PERMITTED,
                f"{shown(sender)} may not send faxes through {route.domain}; "
                "ask the administrator to add this address to a faxbox",
                sender,
            )
        chosen = [box for fit, box in fits if fit == best]
        if len(chosen) > 1:
            hosts = ", ".join(sorted(box.custom_host or box.host for box in chosen))
            raise refuse(
                Kind.SENDER_AMBIGUOUS,
                f"several faxboxes of {route.domain} take mail from you; send to the number at one of: {hosts}",
                sender,
            )
        return self._usable(chosen[0])

    def _usable(self, box: Faxbox) -> Faxbox:
        if not self.applications[box.application_id].active:
            raise refuse(
                Kind.APPLICATION_INACTIVE,
                "sending is switched off for this faxbox; ask the administrator to activate its application",
            )
        if not box.caller_id:
            raise refuse(
                Kind.CALLER_ID_MISSING,
                "this faxbox has no number to send from; ask the administrator to give it a caller id",
            )
        return box
