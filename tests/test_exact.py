"""The exact search against full lists of tiny spaces, random members and published networks."""

from __future__ import annotations

import json
import math
from functools import cache
from importlib.resources import files
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import pytest
from exact_tools import check_measure, measure, members, tiny_space, value
from forks import fork_server, script_of

from zen_cli.errors import UsageError
from zen_cli.formats.plainnet import parse_plainnet
from zen_cli.metrics.block_terms import Terms
from zen_cli.metrics.terms import score_spec
from zen_cli.nas.algorithms.exact.result import ExactResult
from zen_cli.nas.algorithms.exact.search import Progress
from zen_cli.nas.algorithms.exact.solve import solve, upper_bound
from zen_cli.nas.algorithms.exact.support import unsupported
from zen_cli.nas.limits import Limits
from zen_cli.nas.space import BlockSpace, Genome, genome_of, load_space, to_spec
from zen_cli.net.ops import OPS
from zen_cli.net.spec import ArchSpec

HERE = Path(__file__).parent
TINY = {
    "basic": tiny_space("basic"),
    "bottleneck": tiny_space("bottleneck", width={"min": 8, "max": 16}, group_widths=[0, 8]),
    "mbconv": tiny_space("mbconv", width={"min": 8, "max": 16}),
    "twins": tiny_space("mbconv", pair_widths=False),
    "mixed": tiny_space("basic", "bottleneck", width={"min": 8, "max": 16}, kernels=[3], head_width=None),
    "no stride": tiny_space("basic", strides=(1,), stem_width=None),
    "two strides": tiny_space("basic", strides=(2, 2), kernels=[3], depth={"min": 1, "max": 1}),
    "few blocks": tiny_space("basic", kernels=[3], depth={"min": 1, "max": 2}, max_blocks=4),
    "ruled": tiny_space("basic", strides=(2, 2), rules={}),
    "ruled ratios": tiny_space("basic", "bottleneck", kernels=[3], rules={"fixed_ends": False}),
    "ruled pairs": tiny_space("mbconv", kernels=[3], rules={"never_narrower": False}),
    "deep blocks": tiny_space("bottleneck", block={"depth": 4}, depth={"min": 2, "max": 3}, kernels=[3]),
}
SCORES = [("paper", "frobenius"), ("paper", "l1"), ("zennas", "l1")]
# What a score adds depends on the ops, so each set of ops has all scores; the other spaces take turns.
EVERY_OP = ("basic", "bottleneck", "mbconv", "mixed")
CASES = [(name, *score) for name in EVERY_OP for score in SCORES]
CASES += [(name, *SCORES[at % 3]) for at, name in enumerate(TINY) if name not in EVERY_OP]


def built_in(name: str) -> BlockSpace:
    return BlockSpace.model_validate_json((files("zen_cli") / f"nas/space/builtin/{name}.json").read_text())


def check_result(
    result: ExactResult, space: BlockSpace, limits: Limits, convention: str, norm: str, *, slack: float = 1e-9
) -> None:
    """Networks are members, keep the limits, are scored as they say, are distinct and ordered, and keep the bound."""
    assert len({spec.id for spec in result.networks}) == len(result.networks)
    assert list(result.values) == sorted(result.values, reverse=True)
    for spec, score in zip(result.networks, result.values, strict=True):
        assert space.excludes(genome_of(spec), space.seed(spec.resolution)) == ""
        assert all(getattr(spec.cost, name) <= limit for name, limit in limits.items())
        assert score == score_spec(spec, convention=convention, norm=norm)
        assert score <= result.bound + slack


@cache
def listed(name: str, inner: int) -> list[Genome]:
    return list(members(TINY[name], inner))


@cache
def measured(name: str, inner: int, convention: str) -> list[tuple[Terms, int, int]]:
    """What each of the listed costs and adds, which depends on no norm."""
    return [measure(genome, TINY[name].seeds[0], convention) for genome in listed(name, inner)]


@pytest.mark.parametrize(("name", "convention", "norm"), CASES)
def test_the_optimum_is_found_and_the_bound_holds(name: str, convention: str, norm: str) -> None:
    space, seed, inner = TINY[name], TINY[name].seeds[0], 4 if name == "deep blocks" else 3
    genomes = listed(name, inner)
    rows = measured(name, inner, convention)
    check_measure(genomes[len(genomes) // 2], seed)
    values = [value(*row, norm) for row in rows]
    params, macs = (sorted(getattr(row[0], key) for row in rows) for key in ("params", "macs"))
    layers = max(row[0].layers for row in rows) - 1
    for share, depth in ((0.15, {"sublayers": inner + 2}), (0.5, {"sublayers": inner + 2, "layers": layers})):
        index = int(share * len(rows))
        for sums in ({"params": params[index], "macs": macs[index]}, {"macs": macs[index]}):
            limits = Limits(**sums, **depth)
            bounds = [(Terms._fields.index(key), bound) for key, bound in limits.items()]
            best = max(
                score
                for score, (terms, *_) in zip(values, rows, strict=True)
                if all(terms[at] <= bound for at, bound in bounds)
            )
            result = solve(space, seed, limits, convention=convention, norm=norm, gap=0.0, top=3)
            check_result(result, space, limits, convention, norm)
            assert result.bound >= best - 1e-9
            assert result.stopped == "optimal"
            assert result.values[0] == pytest.approx(best, abs=1e-9)
            assert upper_bound(space, seed, limits, convention=convention, norm=norm) >= best - 1e-9


def random_genome(space: BlockSpace, seed: ArchSpec, rng: Random, steps: int) -> Genome:
    genome = rng.choice(space.smallest(seed))
    for _ in range(steps):
        genome = space.mutate(genome, rng)
    return genome


@pytest.mark.parametrize("name", ["zennet-resnet", "zennet-mobile"])
@pytest.mark.parametrize(("convention", "norm"), [("paper", "l1"), ("zennas", "frobenius")])
def test_no_random_member_exceeds_the_bound_of_its_own_limits(name: str, convention: str, norm: str) -> None:
    space = built_in(name)
    seed = space.seed(32)
    rng = Random(7)
    for _ in range(2):
        spec = to_spec(random_genome(space, seed, rng, 60), seed)
        total = spec.cost
        limits = Limits(params=total.params, macs=total.macs, sublayers=total.sublayers)
        bound = upper_bound(space, seed, limits, convention=convention, norm=norm)
        assert score_spec(spec, convention=convention, norm=norm) <= bound
        for _ in range(200):
            other = to_spec(random_genome(space, seed, rng, 40), seed)
            total = other.cost
            if total.params <= limits.params and total.macs <= limits.macs and total.sublayers <= limits.sublayers:
                assert score_spec(other, convention=convention, norm=norm) <= bound


@pytest.mark.parametrize("norm", ["frobenius", "l1"])
def test_published_networks_keep_the_bound_of_their_own_limits(norm: str, published: list[dict[str, Any]]) -> None:
    for row in [row for row in published if row["name"] in ("zennet-1.0M", "zennet-400M-se")]:
        spec = parse_plainnet(row["structure"], resolution=row["resolution"], num_classes=row["num_classes"])
        space = built_in("zennet-resnet" if row["resolution"] == 32 else "zennet-mobile")
        assert space.excludes(genome_of(spec), space.seed(spec.resolution)) == ""
        total = spec.cost
        limits = Limits(params=total.params, macs=total.macs, sublayers=total.sublayers)
        result = solve(space, space.seed(spec.resolution), limits, norm=norm, gap=0.005, top=2)
        check_result(result, space, limits, "paper", norm)
        assert score_spec(spec, norm=norm) < result.values[0]
        assert result.gap <= 0.005


@pytest.mark.parametrize("name", ["bottleneck", "mbconv"])
def test_the_bound_does_not_fall_when_a_budget_grows(name: str) -> None:
    space, seed = TINY[name], TINY[name].seeds[0]
    best = -math.inf
    for params in (2_500, 3_000, 4_000, 6_000, 9_000):
        limits = Limits(params=params, macs=40 * params, sublayers=5)
        result = solve(space, seed, limits, gap=0.0)
        assert result.bound >= best - 1e-9
        best = result.values[0]
    assert solve(space, seed, limits.replace(sublayers=6), gap=0.0).bound >= best


def test_the_same_question_has_the_same_answer() -> None:
    space = built_in("zennet-resnet")
    limits = Limits(params=100_000, macs=10_000_000, sublayers=7)
    first, second = (solve(space, space.seed(32), limits, top=4, gap=0.002) for _ in range(2))
    assert first == second


def test_known_networks_are_never_lost() -> None:
    space, seed = TINY["basic"], TINY["basic"].seeds[0]
    limits = Limits(params=4_000, sublayers=5)
    best = solve(space, seed, limits, gap=0.0).networks[0]
    again = solve(space, seed, limits, gap=0.5, known=[best])
    assert again.networks[0].id == best.id


def test_a_deadline_ends_the_search_with_a_valid_bound() -> None:
    space, seed = built_in("zennet-mobile"), built_in("zennet-mobile").seed(32)
    limits = Limits(params=300_000, macs=30_000_000, sublayers=8)
    steps: list[Progress] = []
    final = solve(space, seed, limits, gap=0.002)
    early = solve(space, seed, limits, gap=0.0, deadline=lambda: len(steps) > 3, on_progress=steps.append)
    assert early.stopped == "deadline"
    assert early.bound >= final.values[0]
    assert [one.bound for one in steps] == sorted((one.bound for one in steps), reverse=True)
    assert all(one.value is None or one.value <= one.bound + 1e-9 for one in steps)


def test_whenever_the_deadline_comes_there_is_a_network_and_a_bound() -> None:
    space, seed, limits = TINY["mixed"], TINY["mixed"].seeds[0], Limits(params=4_000, sublayers=5)
    final, best, checks = solve(space, seed, limits, gap=0.0), 0.0, 0
    while True:
        moments = iter([False] * checks + [True] * 1_000)
        result = solve(space, seed, limits, gap=0.0, deadline=moments.__next__)
        check_result(result, space, limits, "paper", "frobenius")
        assert len(result.networks) == 1
        assert final.values[0] <= result.bound + 1e-9 < math.inf
        assert result.values[0] >= best - 1e-9
        best, checks = result.values[0], checks + 1 + checks // 4
        if result.stopped == "optimal":
            break
        assert result.stopped == "deadline"
    assert best == pytest.approx(final.values[0], abs=1e-9)


def test_a_deadline_before_the_first_network_gives_none() -> None:
    space, seed, limits = TINY["basic"], TINY["basic"].seeds[0], Limits(params=100, sublayers=9)
    result = solve(space, seed, limits, deadline=lambda: True)
    assert (result.networks, result.values, result.stopped) == ((), (), "deadline")
    assert math.isfinite(result.bound)


def test_the_number_of_blocks_bounds_the_depth() -> None:
    seed = {"resolution": 32, "num_classes": 10, "blocks": [{"op": "conv", "width": 16}]}
    seed["blocks"] += [{"op": "bottleneck", "width": 16, "mid_width": 8, "depth": 2, "stride": 2}]
    seed["blocks"] += [{"op": "conv", "kernel": 1, "width": 32}]
    fields = {"kind": "blocks", "name": "two", "seeds": [seed], "ops": ["bottleneck"], "kernels": [3, 5]}
    fields |= {"width": {"min": 16, "max": 16}, "mid_width": {"min": 8, "max": 8}, "depth": {"max": 1}}
    space = BlockSpace.model_validate({**fields, "max_blocks": 3})
    result = solve(space, space.seeds[0], Limits(sublayers=30), gap=0.0, top=5)
    assert (len(result.networks), result.stopped, result.gap) == (2, "optimal", 0.0)


def test_the_bound_of_few_blocks_is_below_what_more_blocks_reach() -> None:
    space, seed = TINY["few blocks"], TINY["few blocks"].seeds[0]
    limits = Limits(params=5_700, sublayers=6)
    free = solve(space.model_copy(update={"max_blocks": 9}), seed, limits, gap=0.0)
    assert len(free.networks[0].blocks) > space.max_blocks
    assert upper_bound(space, seed, limits) < free.values[0] - 1e-6


def test_a_space_of_few_shallow_blocks_is_solved_like_others() -> None:
    fields = built_in("zennet-resnet").model_dump(by_alias=True, mode="json")
    space = BlockSpace.model_validate_json(json.dumps({**fields, "depth": {"max": 3}, "max_blocks": 8}))
    limits, checks = Limits(params=1_000_000, macs=150_000_000, sublayers=18), count()
    result = solve(space, space.seed(32), limits, gap=0.005, deadline=lambda: next(checks) > 300)
    check_result(result, space, limits, "paper", "frobenius")
    assert (result.stopped, result.gap < 0.005) == ("gap", True)


def test_a_tiny_or_huge_limit_is_a_limit_like_others() -> None:
    space, seed = TINY["basic"], TINY["basic"].seeds[0]
    with pytest.raises(UsageError, match=r"params: 0 is less than any network needs"):
        solve(space, seed, Limits(params=0.5, sublayers=5))
    free = solve(space, seed, Limits(sublayers=5), gap=0.0)
    assert solve(space, seed, Limits(params=10**18, macs=10**18, sublayers=5), gap=0.0).values == free.values


def test_what_cannot_be_solved_is_refused_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    space = TINY["basic"]
    reason = unsupported(space, Limits(params=1, sublayers=9, depth_width_ratio=0.5))
    assert reason.startswith("max_depth_width_ratio: ") and "use the evolution" in reason
    assert "limit on the depth" in unsupported(space, Limits(params=1))
    assert "free blocks" in unsupported(object(), Limits(params=1, sublayers=9))
    with pytest.raises(UsageError, match=r"no sum over units"):
        solve(load_space("regnet"), space.seeds[0], Limits(sublayers=9))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"max_sublayers: 2 is less than the 3"):
        solve(space, space.seeds[0], Limits(params=10_000, sublayers=2))
    with pytest.raises(UsageError, match=r"max_params: 100 is below every network of the space"):
        solve(space, space.seeds[0], Limits(params=100, sublayers=9))
    assert unsupported(space, Limits(sublayers=9)) == ""
    monkeypatch.setattr(OPS["basic"], "free_fields", lambda space: ("mid", "dilation"))
    assert "basic" in unsupported(space, Limits(sublayers=9))


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ([], "algorithm: the exact search does not know whether op single is monotone"),
        (["monotone"], "solved"),
        (["monotone", "irregular"], "algorithm: the exact search and the counts of op single differ"),
    ],
)
def test_an_op_that_is_added_is_solved_or_refused(words: list[str], answer: str, tmp_path: Path) -> None:
    code, out, err = fork_server("extension_op").run(tmp_path, script_of(HERE / "exact_extension.py"), *words)
    assert (code, out.strip()) == (0, answer), err
