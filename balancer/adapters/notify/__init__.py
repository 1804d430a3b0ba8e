"""Tells people what they should know without asking: by webhook, Slack, Teams and mail.

`Notifier.of` makes the notifier of a configuration. Nothing here may wait on a caller's thread, hold up a stop,
or write an address of a channel to the log: who knows one may write there.
"""

from balancer.adapters.notify.notifier import Notifier, Results
from balancer.adapters.notify.senders import Send, senders_of

__all__ = ["Notifier", "Results", "Send", "senders_of"]
