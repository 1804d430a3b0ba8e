"""`balancer import`: files of other tools become snapshots. No vCenter is asked."""

import typer

from balancer.cli.import_govc import govc
from balancer.cli.import_rvtools import rvtools

import_app = typer.Typer(
    name="import",
    help="Make snapshots of other tools' files, to plan from them. Asks no vCenter.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


import_app.command("govc")(govc)
import_app.command("rvtools")(rvtools)
