"""Worked examples of docs/understand, computed anew; messages that troubleshooting quotes, looked for."""

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from balancer.model.duration import LINK_EFFICIENCY, vmotion_seconds
from balancer.model.reasons import Reason
from balancer.plan.price import instant_price
from balancer.plan.problem import Problem
from balancer.policy.objective import HostArrays, balance_cost, contention_cost, imbalance
from balancer.policy.types import Prices, Thresholds
from tests.support.builders import host

ROOT = Path(__file__).resolve().parents[2]
SCORE = (ROOT / "docs/understand/score.md").read_text("utf-8")
COSTS = (ROOT / "docs/understand/costs.md").read_text("utf-8")
TROUBLE = (ROOT / "docs/operate/troubleshooting.md").read_text("utf-8")
SOURCES = "\n".join(
    re.sub(r'"\s*\n\s*f?"', "", path.read_text("utf-8"))
    for path in sorted((ROOT / "balancer").rglob("*.py"))
)
GIB = 1024.0
BEFORE = [[14_000.0, 128 * GIB], [6_000.0, 64 * GIB]]
AFTER = [[12_000.0, 112 * GIB], [8_000.0, 80 * GIB]]
HOT = [[18_000.0, 128 * GIB], [6_000.0, 64 * GIB]]


def hosts(load: list[list[float]]) -> HostArrays:
    capacity = np.array([[20_000.0, 256 * GIB]] * 2)
    return HostArrays(capacity=capacity, load=np.array(load))


def seconds(memory_gib: float, link_gbps: float, dirty_mbps: float) -> float:
    one = host(1)
    one = replace(one, vmotion=replace(one.vmotion, link_mbps=link_gbps * 1000.0))
    return vmotion_seconds(one, one, memory_gib * GIB, dirty_rate_mbps=dirty_mbps)


def test_the_score_of_the_example_is_what_the_program_computes() -> None:
    before, after = balance_cost(hosts(BEFORE)), balance_cost(hosts(AFTER))
    limits = Thresholds()
    trigger, target = limits.balance_trigger * 100, limits.balance_target * 100
    hot = contention_cost(hosts(HOT), limits)
    for figure in (
        f"**{before:.6f}**",
        f"**{imbalance(hosts(BEFORE)) * 100:.1f} points**",
        f"cost {after:.6f}, imbalance {imbalance(hosts(AFTER)) * 100:.1f} points",
        f"**{before - after:.6f}**",
        f"costs {hot:.4f}, {['', 'one', 'two', 'three', 'four', 'five', 'six'][int(hot / before)]} times",
        f"`balance_trigger` ({trigger:g} points), down to `balance_target` ({target:g})",
        f"CPU {limits.cpu_contention:.0%}, memory {limits.memory_contention:.0%}".replace(
            "%", " %"
        ),
    ):
        assert figure in SCORE, figure


def test_the_price_of_the_example_is_what_the_program_asks() -> None:
    prices = Prices()
    two = SimpleNamespace(policy=SimpleNamespace(prices=prices), serving=np.array([True, True]))
    price = instant_price(cast("Problem", two)) * (1 + prices.per_second * seconds(16, 10, 0))
    gain = balance_cost(hosts(BEFORE)) - balance_cost(hosts(AFTER))
    assert f"**{price:.6f}**" in COSTS
    assert f"Its price** is {price:.6f}" in SCORE
    assert f"some {round(gain / price, -2):.0f} times less" in SCORE
    defaults = f"`move_price` {prices.move_price:.5f}, `stable_s` {prices.stable_s:.0f}"
    assert f"{defaults}, `per_second` {prices.per_second}" in COSTS


def test_the_durations_of_the_table_are_what_the_program_predicts() -> None:
    rows = re.findall(
        r"^\| (\d+) GiB \| (\d+) GbE \| ([\d,]+)[^|]* \| ([\d.]+) GiB \| ([\d.]+) \|", COSTS, re.M
    )
    assert len(rows) == 4
    for memory, link, dirty, data, told in rows:
        dirty_mbps = float(dirty.replace(",", ""))
        bandwidth = LINK_EFFICIENCY * float(link) * 1000.0
        assert f"{float(memory) / (1 - dirty_mbps / bandwidth):.1f}".removesuffix(".0") == data
        assert f"{seconds(float(memory), float(link), dirty_mbps):.1f}" == told


def rows() -> list[str]:
    return re.findall(r"^\| (`[^|]+?) \|", TROUBLE, re.M)


def test_there_are_at_least_twenty_symptoms() -> None:
    assert len(rows()) >= 20


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[:40])
def test_a_symptom_is_worded_as_the_program_words_it(row: str) -> None:
    reasons = {reason.value for reason in Reason}
    quoted = re.findall(r"`([^`]+)`", row)
    assert quoted
    assert [words for words in quoted if words not in reasons and words not in SOURCES] == []
