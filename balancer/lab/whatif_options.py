"""The options of `balancer lab whatif` as people write them, read into a change. Every mistake is named."""

import math
from collections.abc import Iterable, Iterator, Sequence

from balancer.lab.whatif_change import Change, NewHosts, NewVms, Size
from balancer.model.errors import InputError, Problem

_LIKE = "like="
_SIZE_KEYS = ("vcpus", "memory_gib", "cpu_mhz")
_HOSTS_ALLOWED = "N or N:like=HOST, such as 2:like=esx01"
_VMS_ALLOWED = "N, N:like=VM or N:vcpus=..,memory_gib=..,cpu_mhz=.., such as 10:vcpus=2,memory_gib=8,cpu_mhz=900"
_MIB_PER_GIB = 1024.0
_MOST_DIGITS = 9


class _Wrong(Exception):
    """What is wrong with one option."""


def read_change(
    remove_hosts: Sequence[str],
    fail_hosts: Sequence[str],
    add_hosts: Sequence[str],
    add_vms: Sequence[str],
) -> Change:
    """Return what the options ask for.

    Raises:
        InputError: some cannot be read; all of them are listed.
    """
    problems: list[Problem] = []
    hosts = list(_read(add_hosts, "--add-host", _HOSTS_ALLOWED, problems))
    vms = list(_read(add_vms, "--add-vms", _VMS_ALLOWED, problems))
    if problems:
        raise InputError("what-if", tuple(problems))
    return Change(
        remove_hosts=tuple(remove_hosts),
        fail_hosts=tuple(fail_hosts),
        add_hosts=tuple(NewHosts(count=one.count, like=one.like) for one in hosts),
        add_vms=tuple(vms),
    )


def _read(
    words: Iterable[str], option: str, allowed: str, problems: list[Problem]
) -> Iterator[NewVms]:
    for word in words:
        try:
            yield _addition(word, with_size=option == "--add-vms")
        except _Wrong as wrong:
            problems.append(Problem(where=f"{option} {word}", found=str(wrong), allowed=allowed))


def _addition(word: str, *, with_size: bool) -> NewVms:
    number, colon, rest = word.partition(":")
    if not (number.isascii() and number.isdecimal() and len(number) <= _MOST_DIGITS):
        raise _Wrong(f"'{number}' is no number")
    count = int(number)
    if not colon:
        return NewVms(count=count)
    if rest.startswith(_LIKE) and rest != _LIKE:
        return NewVms(count=count, like=rest.removeprefix(_LIKE))
    if not with_size:
        raise _Wrong(f"'{rest}' does not say like which host")
    return NewVms(count=count, size=_size(rest))


def _size(text: str) -> Size:
    given: dict[str, float] = {}
    for part in text.split(","):
        key, _, value = (piece.strip() for piece in part.partition("="))
        if key not in _SIZE_KEYS or key in given:
            raise _Wrong(f"'{key}' is {'given twice' if key in given else 'not known'}")
        given[key] = _figure(key, value)
    missing = [key for key in _SIZE_KEYS if key not in given]
    if missing:
        raise _Wrong(f"{', '.join(missing)} not given")
    return Size(
        vcpus=int(given["vcpus"]),
        memory_mib=given["memory_gib"] * _MIB_PER_GIB,
        cpu_mhz=given["cpu_mhz"],
    )


def _figure(key: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    is_sound = math.isfinite(value) and (key != "vcpus" or value.is_integer())
    if is_sound and (value > 0.0 or (key == "cpu_mhz" and value == 0.0)):
        return value
    raise _Wrong(f"{key} is '{text}'")
