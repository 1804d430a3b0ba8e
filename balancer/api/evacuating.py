"""Hosts that people want emptied and kept empty: asked for, listed, taken back."""

from collections.abc import Sequence

from balancer import control
from balancer.api.answer import Answer, Json, done
from balancer.api.lookup import find_host
from balancer.api.scene import Scene
from balancer.control import By
from balancer.expose.escape import visible
from balancer.expose.figures import timestamp
from balancer.model.control import Evacuation
from balancer.model.errors import BalancerError, NotFound
from balancer.policy.mode import Mode
from balancer.policy.problems import nearest, plain

SCHEMA = "balancer/evacuations/v1"


def list_evacuations(scene: Scene, *, cluster: str | None = None) -> Answer:
    """List which hosts are to be emptied, and for whom."""
    shard, _ = scene.chosen(cluster)
    asked = scene.store.evacuations(shard)
    lines = [f"{one.host_name} ({one.host}) of {one.shard}: asked {_by(one)}" for one in asked]
    told = "".join(f"{visible(line)}\n" for line in lines or ["No host is to be emptied."])
    document: Json = {"schema": SCHEMA, "evacuations": [evacuation_entry(one) for one in asked]}
    return Answer(document=document, text=lambda width: told)


def evacuation_entry(one: Evacuation) -> Json:
    """Return a request as documents list it."""
    return {
        "cluster": one.shard,
        "host": one.host,
        "host_name": one.host_name,
        "by": one.by,
        "at": timestamp(one.at),
        **({"reason": one.reason} if one.reason else {}),
    }


def evacuate(scene: Scene, by: By, *, host: str, cluster: str | None = None) -> Answer:
    """Have a host emptied and kept empty. Raises `NotFound`, and `SourceError` where the cluster is not known."""
    chosen = scene.one(cluster)
    snapshot = scene.read(chosen)
    found = snapshot.host_by_id[find_host(snapshot, host)]
    wanted = Evacuation(
        shard=chosen.shard, host=found.id, host_name=found.name, by=by.actor, at=by.at
    )
    asked = control.ask_to_empty(scene.store, wanted, by)
    if asked.already:
        lines = [f"{found.name} is to be emptied already, asked {_by(asked.evacuation)}."]
    else:
        count = sum(1 for vm in snapshot.running_vms if vm.host == found.id)
        lines = [
            f"{found.name} ({found.id}) is to be emptied: {count} running VMs leave it, none comes.",
            _what_happens(chosen.in_force(by.at).mode),
            f"To take it back: balancer evacuate {found.name} --cancel",
        ]
    return done(
        lines,
        action="evacuate",
        cluster=chosen.shard,
        host=found.id,
        host_name=found.name,
        changed=not asked.already,
    )


def _what_happens(mode: Mode) -> str:
    match mode:
        case Mode.OBSERVE:
            return "Nothing moves yet: the cluster is in mode observe. Set mode manual, partial or automatic."
        case Mode.MANUAL:
            return "The cluster is in mode manual: approve the plan that the next cycle makes (balancer plans)."
        case _:
            return "The daemon's next cycle begins with it."


def end_evacuation(scene: Scene, by: By, *, host: str, cluster: str | None = None) -> Answer:
    """Let a host take VMs again. Raises `NotFound` where nobody asked for it, `BalancerError` for several."""
    asked = _meant(scene.store.evacuations(scene.chosen(cluster)[0]), host)
    control.cancel_emptying(scene.store, asked, by)
    lines = [f"{asked.host_name} ({asked.host}) takes VMs again. It was asked {_by(asked)}."]
    return done(
        lines,
        action="end_evacuation",
        cluster=asked.shard,
        host=asked.host,
        host_name=asked.host_name,
        changed=True,
    )


def _meant(asked: Sequence[Evacuation], host: str) -> Evacuation:
    word = host.strip().casefold()
    fitting = [one for one in asked if word in _names_of(one)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        where = ", ".join(f"{one.host} of {one.shard}" for one in fitting)
        raise BalancerError(
            f"'{plain(host)}' names several hosts: {where}. Name the cluster with --cluster."
        )
    if not asked:
        raise NotFound("No host is to be emptied, so that there is nothing to cancel.")
    names = ", ".join(one.host_name for one in asked)
    hint = nearest(host, {one.host_name for one in asked})
    raise NotFound(
        f"Nobody asked for '{plain(host)}' to be emptied; asked for are: {plain(names)}. {hint}".rstrip()
    )


def _names_of(asked: Evacuation) -> tuple[str, ...]:
    name = asked.host_name.casefold()
    return asked.host.casefold(), name, name.partition(".")[0]


def _by(asked: Evacuation) -> str:
    because = f": {asked.reason}" if asked.reason else ""
    return f"by {asked.by} at {asked.at:%Y-%m-%d %H:%M} UTC{because}"
