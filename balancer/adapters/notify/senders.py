"""From the channels of a configuration to ways of sending: form, secrets, and the wire. One call is one try."""

import time
from collections.abc import Callable, Mapping

from balancer.adapters.notify.bulletin import Bulletin
from balancer.adapters.notify.chat import slack_body, teams_body
from balancer.adapters.notify.mail import send_mail
from balancer.adapters.notify.web import Request, post
from balancer.adapters.notify.webhook import signed_headers, webhook_body
from balancer.config.notify import Channel, EmailChannel, Notify, WebChannel, WebhookChannel

Send = Callable[[Bulletin], None]
"""Tries once. Raises `DeliveryFailed`, or `InputError` where a file with a secret is wrong."""

_JSON = {"Content-Type": "application/json"}


def senders_of(notify: Notify) -> tuple[tuple[Channel, Send], ...]:
    """Return every channel with its way of sending."""
    return (
        *((channel, _webhook(channel)) for channel in notify.webhook),
        *((channel, _chat(channel, slack_body)) for channel in notify.slack),
        *((channel, _chat(channel, teams_body)) for channel in notify.teams),
        *((channel, _email(channel)) for channel in notify.email),
    )


def _webhook(channel: WebhookChannel) -> Send:
    def send(bulletin: Bulletin) -> None:
        body = webhook_body(bulletin)
        # Signed anew for each try: a receiver refuses what is old.
        headers = signed_headers(body, channel.key(), message_id=bulletin.id, at_s=int(time.time()))
        _post(channel, body, headers)

    return send


def _chat(channel: WebChannel, body_of: Callable[[Bulletin], bytes]) -> Send:
    return lambda bulletin: _post(channel, body_of(bulletin), _JSON)


def _email(channel: EmailChannel) -> Send:
    return lambda bulletin: send_mail(bulletin, channel)


def _post(channel: WebChannel, body: bytes, headers: Mapping[str, str]) -> None:
    post(
        Request(
            url=channel.url(),
            body=body,
            headers=headers,
            ca_file=channel.ca_file,
            proxy=channel.proxy,
        )
    )
