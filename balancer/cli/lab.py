"""`balancer lab`: the commands that plan for clusters that are not there, gathered under one word."""

import typer

from balancer.cli.lab_whatif import what_if_command

lab_app = typer.Typer(
    name="lab",
    help="Assume changes, and see what comes of them. Nothing here changes a cluster.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
lab_app.command("whatif")(what_if_command)
