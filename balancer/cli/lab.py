"""`balancer lab`: the commands that plan for clusters that are not there, gathered under one word."""

import typer

from balancer.cli.lab_compare import compare_command
from balancer.cli.lab_contenders import contenders_command
from balancer.cli.lab_replay import replay_command
from balancer.cli.lab_show import show_command
from balancer.cli.lab_whatif import what_if_command

lab_app = typer.Typer(
    name="lab",
    help="Replay recorded load, compare, assume changes. Nothing here changes a cluster.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
lab_app.command("replay")(replay_command)
lab_app.command("compare")(compare_command)
lab_app.command("show")(show_command)
lab_app.command("contenders")(contenders_command)
lab_app.command("whatif")(what_if_command)
