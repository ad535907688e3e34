"""Whether floors are kept: by true values, by what a whole search delivers.

Each search maximises the first of two or three conflicting objectives and holds a floor on the second: half the way
from the lowest baseline to the highest value that any weighting reaches. Search, selection and test are drawn with the
noise of 200 answers each. Two rules of choice are compared: the program's (lower bounds on the select split, shared
among all members), and the luckiest (the highest first objective among those whose search score keeps the floor).

Printed for each problem: how many deliveries truly break the floor under either rule, in how many searches nobody keeps
it for certain, and the true first objective delivered over the best that keeps the floor (of a long search).
"""

import argparse
from collections.abc import Iterable
from importlib.util import find_spec

from common import Metric, Skip, main, options

PROBLEMS = ("two-5", "two-10", "two-20", "three-10")


def run(arguments: argparse.Namespace) -> Iterable[Metric]:
    if find_spec("pymoo") is None:
        raise Skip("pymoo missing: pip install --constraint constraints.txt -e '.[bench]'")
    from fronts_bed.floored import Floored

    broken = searches = 0
    for name in arguments.problems:
        floored = Floored.of(name)
        trials = [floored.trial(seed) for seed in range(arguments.seeds)]
        delivered = [each for each in trials if each.kept]
        lucky = sum(each.luckiest < floored.floor for each in trials)
        bad = sum(each.delivered < floored.floor for each in delivered)
        broken, searches = broken + bad, searches + len(delivered)
        yield Metric("floors", f"{name}: deliveries that truly break the floor", bad, f"of {len(delivered)}")
        yield Metric("floors", f"{name}: luckiest candidates that do", lucky, f"of {len(trials)}")
        yield Metric("floors", f"{name}: searches where nobody keeps it", len(trials) - len(delivered), "searches")
        shares = [each.first / floored.best for each in delivered]
        if shares:
            yield Metric("floors", f"{name}: first objective, of the best possible", sum(shares) / len(shares), "share")
    yield Metric("floors", "all: share of deliveries that break a floor", broken / max(1, searches), "share", "<= 0.05")


if __name__ == "__main__":
    parser = options(__doc__ or "")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--problems", nargs="+", default=list(PROBLEMS))
    main(run, parser)
