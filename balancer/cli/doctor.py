"""`balancer doctor`: looks over every configured vCenter and says what is right, what is not, and the mend.

It reads only, with the accounts of the configuration, and holds no client that could move a VM. A vCenter
that cannot be asked is a finding and hides no other.
"""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from balancer.cli.exit_codes import ExitCode
from balancer.cli.output import columns, emit, encoding, require_room, wants_color

if TYPE_CHECKING:
    from datetime import datetime

    from balancer.adapters.vsphere.accounts import Accounts
    from balancer.assess.doctor import Wishes
    from balancer.config import Config, VCenter
    from balancer.model.finding import Diagnosis

MOST_AT_ONE_TIME = 8


class DoctorFormat(StrEnum):
    """How the findings are printed."""

    TEXT = "text"
    JSON = "json"


def doctor(
    config: Annotated[Path, typer.Option("--config", metavar="F", help="The configuration.")],
    report_format: Annotated[
        DoctorFormat, typer.Option("--format", help="Form of the findings.")
    ] = DoctorFormat.TEXT,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="F", help="Write the findings to a file.")
    ] = None,
) -> None:
    """Check certificate, login, rights, clock, DRS, EVC and vMotion set-up. Changes nothing.

    Looks over every vCenter and cluster of the configuration and says what to change. Ends with 0 if
    there is no problem (advice is none), with 1 if there is one, or if the configuration is wrong.
    """
    from concurrent.futures import ThreadPoolExecutor
    from datetime import UTC, datetime

    from balancer.adapters.vsphere.accounts import Accounts
    from balancer.config import load_config
    from balancer.model.finding import Outcome

    require_room((output,), inputs=(config,))
    settings = load_config(config)
    now, accounts = datetime.now(tz=UTC), Accounts()
    with ThreadPoolExecutor(max_workers=MOST_AT_ONE_TIME) as pool:
        looked_over = pool.map(
            lambda one: _diagnosed(settings, one, now, accounts), settings.vcenters
        )
        diagnoses = tuple(looked_over)
    emit(_written(diagnoses, report_format, output, now), output)
    outcomes = {finding.outcome for diagnosis in diagnoses for finding in diagnosis.every}
    raise typer.Exit(ExitCode.ERROR if Outcome.PROBLEM in outcomes else ExitCode.DONE)


def _diagnosed(
    config: "Config", vcenter: "VCenter", now: "datetime", accounts: "Accounts"
) -> "Diagnosis":
    from balancer.adapters.vsphere.configured import settings_of
    from balancer.adapters.vsphere.examiner import examiner
    from balancer.assess.doctor import judge, not_examined
    from balancer.config import file_problems

    wishes = _wishes(config, vcenter, now)
    problems = file_problems(config.model_copy(update={"vcenters": (vcenter,)}))
    if problems:
        address = f"{vcenter.host}:{vcenter.port}"
        user = vcenter.username or "the user of username_file"
        lines = [str(problem) for problem in problems]
        return not_examined(vcenter.name, address, user, lines, wishes)
    with examiner(settings_of(vcenter), accounts=accounts) as looker:
        checkup = looker.checkup([wish.name for wish in wishes.clusters])
    return judge(checkup, wishes, now=now)


def _wishes(config: "Config", vcenter: "VCenter", now: "datetime") -> "Wishes":
    from balancer.assess.doctor import Wishes
    from balancer.assess.doctor_cluster import ClusterWish
    from balancer.policy.types import Limits

    clusters = [cluster for cluster in config.clusters if cluster.vcenter == vcenter.name]
    ages = [config.policies_of(cluster).at(now).limits.snapshot_age_s for cluster in clusters]
    return Wishes(
        clusters=tuple(
            ClusterWish(name=c.name, mode=c.mode.value, acts=c.mode.acts) for c in clusters
        ),
        snapshot_age_s=min(ages, default=Limits().snapshot_age_s),
        allows_excess=vcenter.allow_excess_privileges,
    )


def _written(
    diagnoses: "Sequence[Diagnosis]",
    report_format: DoctorFormat,
    output: Path | None,
    now: "datetime",
) -> bytes:
    if report_format is DoctorFormat.JSON:
        from balancer.expose.doctor_document import doctor_document
        from balancer.expose.document import document_text

        return document_text(doctor_document(diagnoses, checked_at=now)).encode()
    from balancer.expose.doctor_text import doctor_text
    from balancer.expose.report_text import shows_blocks

    charset = encoding(output)
    text = doctor_text(
        diagnoses,
        width=columns(output),
        color=wants_color(output),
        ascii_only=not shows_blocks(charset),
    )
    return text.encode(charset, errors="replace")
