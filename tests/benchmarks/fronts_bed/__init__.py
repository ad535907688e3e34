"""The test bed of fronts.py: problems of several objectives with known true values, and problems with floors."""

from fronts_bed.constrained import CONSTRAINED
from fronts_bed.live import LIVE
from fronts_bed.problem import FrontProblem
from fronts_bed.recorded import RECORDED
from fronts_bed.synthetic import SYNTHETIC

NOISY: tuple[FrontProblem, ...] = (*SYNTHETIC, *LIVE, *RECORDED)
PROBLEMS: dict[str, FrontProblem] = {problem.name: problem for problem in (*NOISY, *CONSTRAINED)}
