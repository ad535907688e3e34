"""The test bed of discovery.py: problems with known true scores, in two halves.

The settings of every compared method, ours too, are chosen on DEVELOPMENT; CONFIRMATION plays no part in that choice.
"""

from bed import synthetic
from bed.live import Live
from bed.problem import Problem
from bed.recorded import NAMES, Recorded

DEVELOPMENT: tuple[Problem, ...] = (
    *synthetic.DEVELOPMENT,
    Live("zoo-tiny", "tiny"),
    Live("zoo-full", "full"),
    Recorded("smollm2-mixed", NAMES),
)
CONFIRMATION: tuple[Problem, ...] = (
    *synthetic.CONFIRMATION,
    Live("zoo-complementary", "complementary"),
    Live("zoo-interfering", "interfering"),
    Recorded("smollm2-numbers", NAMES[:3]),
    Recorded("smollm2-words", NAMES[3:]),
)
PROBLEMS: dict[str, Problem] = {problem.name: problem for problem in (*DEVELOPMENT, *CONFIRMATION)}
