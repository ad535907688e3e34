"""The parts of a model that can be trained, by the name that a builder's `part` gives."""

from swarm.builders.base import ExpertBuilder, Part
from swarm.builders.control_part import ControlPart
from swarm.builders.trained_part import TrainedPart
from swarm.builders.weight_parts import AdapterPart, AllPart

PARTS: dict[Part, type[TrainedPart]] = {"adapter": AdapterPart, "all": AllPart, "control": ControlPart}


def part_of(builder: ExpertBuilder) -> TrainedPart:
    return PARTS[builder.part](builder)
