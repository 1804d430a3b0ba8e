"""The sections on what the daemon shows: HTTP and the log."""

from typing import Literal

from balancer.config.parts import ListenPort, Part, Text


class Http(Part):
    """Where /metrics, /healthz and /readyz are served. Port 0 takes a free one."""

    listen: Text = "127.0.0.1"
    port: ListenPort = 9715


class Log(Part):
    """Form and loudness of the log. `auto`: text on a terminal, JSON elsewhere."""

    format: Literal["auto", "json", "text"] = "auto"
    level: Literal["debug", "info", "warning", "error", "critical"] = "info"
