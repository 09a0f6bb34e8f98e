"""Delivery reports (RFC 3464), as mail servers send them."""

POSTFIX = """\
Date: Thu, 26 Nov 2026 10:00:00 +0000 (UTC)
From: MAILER-DAEMON@relay.test.example (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: {sender}
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="4AF1.1793000000/relay.test.example"
Message-Id: <20261126100000.4AF1@relay.test.example>

This is a MIME-encapsulated message.

--4AF1.1793000000/relay.test.example
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

I'm sorry to have to inform you that your message could not be delivered.

--4AF1.1793000000/relay.test.example
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; relay.test.example
X-Postfix-Queue-ID: 4AF1
Arrival-Date: Thu, 26 Nov 2026 09:59:58 +0000 (UTC)

Final-Recipient: rfc822; {recipient}
Original-Recipient: rfc822;{recipient}
Action: {action}
Status: 5.1.1
Remote-MTA: dns; mx.test.example
Diagnostic-Code: smtp; 550 5.1.1 <{recipient}>: Recipient address rejected:
    User unknown

--4AF1.1793000000/relay.test.example
Content-Description: Undelivered Message
Content-Type: message/rfc822

Return-Path: <{sender}>
Received: from fax.test.example by relay.test.example
Message-ID: {message_id}
Subject: Fax
From: {sender}
To: {recipient}
Content-Type: multipart/mixed; boundary=inner

--inner
Content-Type: text/plain

Message-ID: <not.this.one@fax.test.example>
--inner--

--4AF1.1793000000/relay.test.example--
"""

#: With the header alone, in Exchange's manner; the identifier is folded.
EXCHANGE = """\
From: <postmaster@exchange.test.example>
To: <{sender}>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="_0001"
Subject: =?utf-8?Q?Unzustellbar=3A_Fax?=
Auto-Submitted: auto-replied

--_0001
Content-Type: multipart/alternative; boundary="_0002"

--_0002
Content-Type: text/plain; charset="utf-8"
Content-Transfer-Encoding: base64

RmVobGVy
--_0002--

--_0001
Content-Type: message/delivery-status

Reporting-MTA: dns;exchange.test.example

Final-Recipient: RFC822;{recipient}
Action: {action}
Status: 5.7.129
Diagnostic-Code: smtp;550 5.7.129 RESOLVER.RST.RestrictedToRecipientsPermission

--_0001
Content-Type: text/rfc822-headers

Subject: Fax
Message-ID:
\t{message_id}
X-MS-Exchange-Transport-CrossTenantHeadersStamped: x

--_0001--
"""


def bounce(message_id: str, *, recipient: str, sender: str, form: str = POSTFIX, action: str = "failed") -> bytes:
    """The report that a mail to *recipient* of *sender* was given up, in one of the forms above."""
    text = form.format(message_id=message_id, recipient=recipient, sender=sender, action=action)
    return text.replace("\n", "\r\n").encode()
