"""`balancer policy`: the commands about policies, gathered under one word. None of them changes a cluster."""

import typer

from balancer.cli.policy_import import import_drs
from balancer.cli.policy_lint import policy_lint
from balancer.cli.policy_show import policy_show
from balancer.cli.policy_tests import policy_test

policy_app = typer.Typer(
    name="policy",
    help="Read, check, test and make policies. Nothing here changes a cluster.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
policy_app.command("import-drs")(import_drs)
policy_app.command("lint")(policy_lint)
policy_app.command("show")(policy_show)
policy_app.command("test")(policy_test)
