"""Who takes part in a replay: names and patterns of the command line, and ours with the policies that are named."""

import hashlib
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import typer

from balancer.adapters.files.json_file import read_bytes
from balancer.cli.lab_options import USUAL
from balancer.lab.contenders import CONTENDERS
from balancer.lab.errands import Entrant
from balancer.lab.figures import OURS
from balancer.lab.replayed import PolicyText
from balancer.policy.compose import PolicySet, load_policy_set
from balancer.policy.load import DEFAULT_POLICY

_ALL = "all"


def entrants(
    names: Sequence[str], policies: Sequence[str]
) -> tuple[tuple[Entrant, ...], tuple[PolicyText, ...]]:
    """Return the contenders and the texts of their policies, each contender once.

    `names` are contenders, patterns such as `drs-*`, `all`, or `ours:POLICY`; `policies` mean `ours:POLICY` each.

    Raises:
        BadParameter: there is no such contender, or two policies have one name.
        InputError: a policy is wrong.
    """
    wanted = [*(names or (() if policies else USUAL)), *(f"{OURS}:{one}" for one in policies)]
    chosen: dict[str, Entrant] = {}
    texts: dict[str, PolicyText] = {}
    for word in wanted:
        if word.startswith(f"{OURS}:"):
            entrant, text = _with_policy(word.removeprefix(f"{OURS}:"))
            if texts.setdefault(entrant.name, text) != text:
                raise typer.BadParameter(
                    f"two policies would both be shown as {entrant.name}; rename one of the files"
                )
            chosen[entrant.name] = entrant
        else:
            chosen |= {name: Entrant(name=name) for name in _named(word)}
    if OURS in chosen:
        texts[OURS] = _text(DEFAULT_POLICY, load_policy_set([DEFAULT_POLICY]))
    return tuple(chosen.values()), tuple(texts[name] for name in sorted(texts))


def _named(word: str) -> Iterator[str]:
    found = [name for name in CONTENDERS if word == _ALL or fnmatchcase(name, word)]
    if not found:
        raise typer.BadParameter(
            f"there is no contender {word!r}; there are {', '.join(CONTENDERS)}, {OURS}:POLICY for ours with a "
            "policy, and all. `balancer lab contenders` says what each does"
        )
    yield from found


def _with_policy(name: str) -> tuple[Entrant, PolicyText]:
    composed = load_policy_set([name])
    entrant = Entrant(
        name=f"{OURS}:{Path(name).stem}",
        policy=composed.without_windows,
        policies=composed.at if composed.without_windows.windows else None,
    )
    return entrant, _text(name, composed)


def _text(name: str, composed: PolicySet) -> PolicyText:
    content = b"".join(read_bytes(Path(file)) for file in composed.files)
    return PolicyText(
        name=name,
        digest=hashlib.sha256(content).hexdigest(),
        text=content.decode("utf-8", errors="replace"),
    )
