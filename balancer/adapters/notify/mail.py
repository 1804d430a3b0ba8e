"""Mail: one message to a relay, over TLS from its first or second word on. Plain text, no attachment."""

import smtplib
import ssl
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from balancer.adapters.notify.bulletin import Bulletin, headline, sections
from balancer.config.notify import EmailChannel
from balancer.expose.escape import visible
from balancer.model.errors import DeliveryFailed
from balancer.model.units import Seconds

WITHIN_S: Seconds = 10.0
"""For each step of the talk with the relay."""

MOST_SUBJECT, MOST_LINE = 150, 600


def mail(bulletin: Bulletin, channel: EmailChannel) -> EmailMessage:
    """Return the message. No name can end a header or a line."""
    message = EmailMessage(policy=SMTP)
    message["Subject"] = " ".join(visible(f"[balancer] {headline(bulletin)}").split())[
        :MOST_SUBJECT
    ]
    message["From"] = channel.sender
    message["To"] = ", ".join(channel.recipients)
    message["Date"] = format_datetime(bulletin.at)
    message["Message-ID"] = f"<{bulletin.id}@{channel.sender.rpartition('@')[2]}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no answers of absence
    message.set_content("\n".join(_lines(bulletin)), charset="utf-8", cte="quoted-printable")
    return message


def send_mail(bulletin: Bulletin, channel: EmailChannel) -> None:
    """Hand the message to the relay once.

    Raises:
        DeliveryFailed: the relay did not take it.
        InputError: the password file cannot be read.
    """
    message = mail(bulletin, channel)
    try:
        with _connected(channel) as relay:
            if channel.username:
                relay.login(channel.username, channel.password())
            relay.send_message(message, channel.sender, list(channel.recipients))
    except ssl.SSLCertVerificationError as err:
        told = f"the relay's certificate is not trusted ({err.verify_message}): set ca_file"
        raise DeliveryFailed(told, is_transient=False) from None
    except smtplib.SMTPException as err:
        raise _refused(err) from None
    except OSError as err:
        told = f"no connection to {channel.host}:{channel.port}: {err.strerror or err}"
        raise DeliveryFailed(told, is_transient=True) from None


def _connected(channel: EmailChannel) -> smtplib.SMTP:
    if channel.security == "tls":
        return smtplib.SMTP_SSL(
            channel.host, channel.port, timeout=WITHIN_S, context=_trust(channel)
        )
    relay = smtplib.SMTP(channel.host, channel.port, timeout=WITHIN_S)
    if channel.security == "starttls":
        try:
            relay.starttls(context=_trust(channel))
        except BaseException:
            relay.close()
            raise
    return relay


def _trust(channel: EmailChannel) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(channel.ca_file) if channel.ca_file else None)


def _refused(err: smtplib.SMTPException) -> DeliveryFailed:
    """Say at which step, and with which code; 4xx asks to come again (RFC 5321, section 4.2.1)."""
    step = type(err).__name__.removeprefix("SMTP")
    codes = [err.smtp_code] if isinstance(err, smtplib.SMTPResponseException) else []
    if isinstance(err, smtplib.SMTPRecipientsRefused):
        codes = sorted({code for code, _ in err.recipients.values()})
    is_transient = any(400 <= code < 500 for code in codes) if codes else _may_pass(err)
    with_codes = f" with {', '.join(map(str, codes))}" if codes else ""
    return DeliveryFailed(f"the relay refused{with_codes} ({step})", is_transient=is_transient)


def _may_pass(err: smtplib.SMTPException) -> bool:
    """Whether an error without a code is one of the connection; else the relay lacks what is asked of it."""
    return isinstance(err, smtplib.SMTPServerDisconnected)


def _lines(bulletin: Bulletin) -> list[str]:
    lines: list[str] = []
    for section in sections(bulletin):
        told = [f"  {visible(line)[:MOST_LINE]}" for line in section.lines]
        lines += [visible(section.title)[:MOST_LINE], *told, ""]
    return lines
