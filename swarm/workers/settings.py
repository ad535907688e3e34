"""Where candidates are scored: the config's section `cluster`."""

from typing import Literal

from pydantic import Field, field_validator, model_validator

from swarm.core.settings import Settings


class LocalCluster(Settings):
    """Everything in this process: for tests and debugging."""

    type: Literal["local"] = "local"


class RayCluster(Settings):
    """Ray actors: on a running cluster where there is one, else on a Ray of our own on this machine."""

    type: Literal["ray"] = "ray"
    address: str | None = Field(None, description="a running cluster; none: RAY_ADDRESS, else a local Ray")
    workers: int | Literal["auto"] = Field(
        "auto", description="actors; auto: what the cluster's resources hold, also when nodes join or leave"
    )
    cpus_per_worker: int | Literal["auto"] = Field("auto", description="CPU cores, and torch threads, an actor")
    gpus_per_worker: float | Literal["auto"] = Field(
        "auto", description="GPUs an actor, a share of one or whole ones; auto: 1 where there are GPUs"
    )
    autoscaling: bool = Field(
        False, description="ask for workers that no node holds yet: the cluster's autoscaler brings their nodes"
    )
    attempts: int = Field(2, ge=1, description="times a candidate is tried before it counts as failed")
    respawns: int = Field(3, ge=0, description="times a worker may be replaced, on average; preempted ones aside")
    prefetch: int = Field(1, ge=0, le=8, description="bundles of candidates that wait at a worker while it scores one")
    hedge: float | None = Field(
        3.0, gt=1, description="times the median after which a free worker scores a straggler too; null: never"
    )
    deadline: float = Field(10.0, gt=1, description="times the median after which a silent worker is replaced")
    deadline_seconds: float = Field(60.0, gt=0, description="the deadline of a candidate is never shorter")
    start_seconds: float = Field(
        600.0, gt=0, description="time for the first worker to load base and experts, and for the first candidates"
    )

    @field_validator("workers", "cpus_per_worker", mode="before")
    @classmethod
    def _count(cls, value: object) -> object:
        if value != "auto" and not (type(value) is int and value >= 1):
            raise ValueError("it is none of: auto, a whole number of at least 1")
        return value

    @field_validator("gpus_per_worker", mode="before")
    @classmethod
    def _gpus(cls, value: object) -> object:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if value == "auto" or (number and (0 <= value <= 1 or (value > 1 and value % 1 == 0))):  # type: ignore[operator]
            return value
        raise ValueError("it is none of: auto, a part of one GPU (0 to 1), a whole number of GPUs")

    @model_validator(mode="after")
    def _number(self) -> "RayCluster":
        if self.autoscaling and "auto" in (self.workers, self.cpus_per_worker, self.gpus_per_worker):
            raise ValueError(
                "autoscaling: true asks for nodes that are not there to go by; "
                "set workers, cpus_per_worker and gpus_per_worker to numbers"
            )
        return self


ClusterSettings = LocalCluster | RayCluster
