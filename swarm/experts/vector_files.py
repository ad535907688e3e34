"""Opens an alignment vector's file, and checks that it was made from this base."""

from pathlib import Path

from swarm.core.errors import ExpertError
from swarm.core.terminal_text import shortened
from swarm.experts.architecture import DTYPES
from swarm.experts.expert import Base, Vector
from swarm.experts.safetensors_files import TensorFiles

VECTOR_FORMAT = "swarm-alignment-vector"


def open_vector(path: Path, base: Base, owner: str, any_base: bool = False) -> Vector:
    """Open the file from its header. any_base: whether it may have been made from another base. Raises ExpertError."""
    if path.suffix != ".safetensors":
        raise ExpertError(
            f"{owner}: {path} is neither a folder nor a .safetensors file, and pickled weights are not loaded; "
            "give the folder of a saved model, or make a vector with swarm vector BASE ALIGNED -o FILE"
        )
    vector = Vector(TensorFiles.of(path))
    if vector.files.metadata.get("format") != VECTOR_FORMAT:
        raise ExpertError(
            f"{owner}: {path} is not an alignment vector; make one with swarm vector BASE ALIGNED -o FILE"
        )
    for name, info in vector.files.info.items():
        if info.dtype not in DTYPES:
            raise ExpertError(f"{owner}: {name} in {path} holds {info.dtype}, no differences of weights; make it again")
    made_for = vector.files.metadata.get("base_fingerprint", "")
    if made_for and made_for != base.tensors.fingerprint and not any_base:
        raise ExpertError(
            f"{owner}: {path} was made from a base with fingerprint {shortened(made_for, 32)}, "
            f"this base has {base.tensors.fingerprint}; make it again with swarm vector"
        )
    return vector
