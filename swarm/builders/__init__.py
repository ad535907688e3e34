"""Builders: how an expert is made from data. A build config lists experts, each of one of these types.

A builder is frozen settings and a trainer of trl. It gets rows of token ids (`base.AnswerTokens`, `base.PairTokens`),
so it knows neither files nor chat templates, and it must never know searches, objectives or runs. Of Swarm, this
package imports `swarm.core`, and where control layers are made `swarm.experts`.

    base.py          settings of all builders, the rows, and what a builder promises
    sft.py dpo.py    one small file per type
    axis.py          a thin layer over sft
    weights_builder.py  what these three share: they train an adapter, or all weights
    control_layer.py one more layer in front of the base, from preferences
    parts.py         the parts of a model that can be trained
    trained_part.py  what is asked of one: how it starts, how much it is, how it is written
    weight_parts.py  an adapter, all weights
    control_part.py  a control layer
    models.py        opens bases, and keeps libraries quiet
    training.py      from a base and rows to trained weights; goes on from a checkpoint
    trainers.py      the trainers of trl, with losses and disks checked
    checkpoints.py   which checkpoints of a training are complete
    model_shape.py   how many weights a base has, and how many of them are trained; nothing is loaded
    timing.py        a few real steps
    scoring.py       log-likelihoods of answers that are given (teacher-forced)
    expert_folder.py the expert's folder, with its card

The files of types, `base` and `weights_builder` must not import torch: they are the schema of a build config.
`trainers` imports trl, which is an extra: it and what imports it are loaded when an expert is built.

To add one:
1. Write one file here with a subclass of `ExpertBuilder`, or of `WeightsBuilder`: its `type` is a Literal of the name,
   its fields are the YAML keys, each with a description, its `trainer_kind` names one of TRAINERS in trainers.py, and
   its `part` one of PARTS in parts.py.
2. Add one line to BUILDERS. The page docs/build.md lists the keys, and a test compares.
"""

from swarm.builders.axis import AxisBuilder
from swarm.builders.base import AnswerTokens, ExpertBuilder, PairTokens
from swarm.builders.control_layer import ControlBuilder
from swarm.builders.dpo import DPOBuilder
from swarm.builders.sft import SFTBuilder

BUILDERS: dict[str, type[ExpertBuilder]] = {
    "sft": SFTBuilder,
    "dpo": DPOBuilder,
    "axis": AxisBuilder,
    "control": ControlBuilder,
}

__all__ = ["BUILDERS", "AnswerTokens", "ExpertBuilder", "PairTokens"]
