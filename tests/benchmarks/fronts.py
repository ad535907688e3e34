r"""Which search finds the best front: methods x problems x seeds at equal evaluations, by true hypervolume.

    python tests/benchmarks/fronts.py --folder DIR --write

runs the trials that DIR does not hold yet (one JSON line each) and writes the tables of docs/results/fronts.md; it can
be stopped and started at will. DIR does not notice changes of the code: use a new one after a change of a method or of
the test bed (tests/benchmarks/fronts_bed). BoTorch's qLogNEHVI takes minutes a trial and is left out unless named:

    python tests/benchmarks/fronts.py --folder DIR --seeds 3 --contenders qlognehvi \
        --problems two-10 three-10 smollm2-two

A method asks for ten positions at a time, until 100 are scored by noisy scores of 200 answers an objective. It delivers
the observed front, and the front of posterior means of one process that is the same for all methods. Both are measured
by the true values of their members: their hypervolume over that of the best known front, which is the front of a long
search on the true values and of all that any method delivered. Problems with floors have no noise.

Needs `pip install --constraint constraints.txt -e '.[bench]'`.
"""

import argparse
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from common import Metric, Skip, main, options

NEEDED = ("pymoo", "optuna")
EVALUATIONS = 100


def run(arguments: argparse.Namespace) -> Iterable[Metric]:
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise Skip(f"{', '.join(missing)} missing: pip install --constraint constraints.txt -e '.[bench]'")
    if arguments.folder is None:
        raise Skip("it takes half an hour: name a --folder for its trials")
    from fronts_bed.campaign import Campaign

    return Campaign(arguments.folder, arguments.problems, arguments.contenders, arguments.evaluations).run(
        seeds=0 if arguments.kept else arguments.seeds, jobs=arguments.jobs, page=arguments.write
    )


if __name__ == "__main__":
    parser = options(__doc__ or "")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="folder of the finished trials")
    parser.add_argument("--kept", action="store_true", help="run nothing; use the finished trials")
    parser.add_argument("--write", action="store_true", help="write the tables into docs/results/fronts.md")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--evaluations", type=int, default=EVALUATIONS, help="of each trial (default 100)")
    parser.add_argument("--jobs", type=int, default=2, help="trials run in parallel, one core each")
    parser.add_argument("--problems", nargs="+", default=[], help="the problems to run (default: all)")
    parser.add_argument("--contenders", nargs="+", default=[], help="the methods to run (default: all but qlognehvi)")
    main(run, parser)
