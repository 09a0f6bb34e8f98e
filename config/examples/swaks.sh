#!/bin/sh
# Mails to try a gateway with (Debian: apt install swaks). Each line stands for itself.
server=127.0.0.1:2525
from=sender@example.com            # must be on the faxbox's list of permitted senders
to=12025550123@fax.example.com
pdf=document.pdf

# A fax: the PDF is sent, the text of the mail is not.
swaks --server "$server" --from "$from" --to "$to" --header "Subject: Order 4711" --attach "@$pdf"

# Two numbers, one mail: one rendering, two faxes.
swaks --server "$server" --from "$from" --to "$to,12025550124@fax.example.com" --attach "@$pdf"

# Is this sender allowed to fax to this number? Asks up to RCPT and sends nothing.
swaks --server "$server" --from "$from" --to "$to" --quit-after RCPT

# With a login, on a submission listener.
swaks --server fax.example.com:587 --tls --auth PLAIN --auth-user "$from" --from "$from" --to "$to" --attach "@$pdf"

# What a mail without anything to fax is answered: 554, in the dialogue itself.
swaks --server "$server" --from "$from" --to "$to" --body "only words"
