"""DoRA (arXiv 2402.09353): low-rank direction, with a magnitude for each output.

W' = m * (W0 + s B A) / ||W0 + s B A||, the norm taken over the inputs of each output (equation 5).
"""

import torch
from torch import Tensor

from swarm.experts.updates import LowRank, product_of


def dora_value(base: Tensor, factors: LowRank, magnitude: Tensor) -> Tensor:
    """The weight that DoRA makes of the base's, in float32.

    base: the pristine weight. factors: its low-rank update, which says how the weight is stored. magnitude: one number
    per output. An output whose weights add up to nothing but zeros keeps them.
    """
    direction = base.float() + product_of(factors)
    # Over contiguous rows, as PEFT takes it: the same norm bit for bit.
    norms_O = torch.linalg.norm(direction.T if factors.transposed else direction, dim=1)
    factor_O = torch.where(norms_O > 0, magnitude.float().flatten() / norms_O, 0.0)
    return direction * (factor_O if factors.transposed else factor_O[:, None])
