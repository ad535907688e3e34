"""What an expert must have in common with its base: parameters, shapes, and tensors that are one."""

from swarm.core.errors import ExpertError
from swarm.core.recipes import ExpertKind
from swarm.experts.expert import Base, UpdateSource
from swarm.experts.saved_copies import check_rows


def check_ties(owner: str, checkpoint: Base, base: Base) -> None:
    """Raise ExpertError where transformers ties two parameters in one of base and expert, and not in the other."""
    for name, source in base.ties.items():
        if name not in checkpoint.ties and name in checkpoint.tensors.info:
            raise ExpertError(
                f"{owner}: its {name} differs from its {source}, which the base ties to one tensor; give a base that "
                f"is saved untied, with {name} and tie_word_embeddings = False"
            )
    for name, source in checkpoint.ties.items():
        if name not in base.ties and name in base.tensors.info:
            raise ExpertError(
                f"{owner}: tie_word_embeddings is True, so that its {name} is {source}, but the base has both apart; "
                "an expert must be made from this base"
            )


def check_parameters(owner: str, kind: ExpertKind, source: UpdateSource, base: Base) -> None:
    """Raise ExpertError for a parameter that the base lacks or has in another shape, or that is not loaded."""
    parameters = source.parameters()
    if not parameters:
        raise ExpertError(f"{owner}: it changes no parameter; train it or remove it from experts")
    for parameter in parameters:
        if parameter not in base.tensors.info:
            if kind == "checkpoint" and base.may_lack(parameter):
                continue
            why = f"the base ties it to {base.ties[parameter]}" if parameter in base.ties else "the base has none"
            raise ExpertError(f"{owner}: it changes {parameter}, but {why}; an expert must be made from this base")
        if kind == "checkpoint" and not base.layout.loads(parameter):
            continue
        _check_loads(owner, parameter, base)
        if source.shape(parameter) != base.tensors.info[parameter].shape:
            check_rows(owner, parameter, source.shape(parameter), base.tensors.info[parameter].shape)
            raise ExpertError(
                f"{owner}: {parameter} is {list(source.shape(parameter))}, but the base has "
                f"{list(base.tensors.info[parameter].shape)}; an expert must be made from this base"
            )
    needed = [name for name in base.tensors.info if kind == "checkpoint" and not base.may_lack(name)]
    missing = sorted(set(needed) - set(parameters))
    if missing:
        raise ExpertError(f"{owner}: the tensor {missing[0]} of the base is missing; save the whole checkpoint")


def _check_loads(owner: str, parameter: str, base: Base) -> None:
    """Raise ExpertError where no live tensor, or part of one, holds what the files hold."""
    model = type(base.architecture.model).__name__
    if not base.layout.loads(parameter):
        raise ExpertError(
            f"{owner}: it changes {parameter}, which transformers does not load into {model}; "
            "train it on what the model uses, or remove it from experts"
        )
    if parameter in base.layout.converted:
        raise ExpertError(
            f"{owner}: it changes {parameter}, which transformers computes into other tensors when it loads {model}; "
            "such a tensor cannot be composed, give an expert that leaves it as it is"
        )
