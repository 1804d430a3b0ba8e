"""`balancer run`: the daemon in the foreground, until it is told to stop."""

from pathlib import Path
from typing import Annotated

import typer


def run(
    config: Annotated[
        Path, typer.Option("--config", help="Configuration file.", show_default=False)
    ],
) -> None:
    """Run the daemon: watch clusters and act as their mode allows.

    Takes up a changed configuration or policy by itself, at once on SIGHUP, all of it or nothing.
    Serves /metrics, /healthz and /readyz. Ends with 0 within ten seconds of SIGTERM or Ctrl-C: nothing
    more is submitted, and migrations that run are left to run and settled at the next start.
    """
    from balancer.adapters.heap import keep_heap_flat

    keep_heap_flat()
    from balancer.config import load_config
    from balancer.expose.logs import configure_logging
    from balancer.serving import serve

    settings = load_config(config)
    configure_logging(settings.log.format, settings.log.level)
    raise typer.Exit(serve(settings, config))
