"""Where candidates are scored: the config's section `cluster`."""

from typing import Literal

from pydantic import Field, field_validator, model_validator

from swarm.core.errors import ConfigError
from swarm.core.settings import Settings


class LocalCluster(Settings):
    """Score in this process: for tests and debugging."""

    type: Literal["local"] = "local"

    @property
    def on_ray(self) -> None:
        """No Ray is used."""

    def holding(self, accelerators: int) -> "LocalCluster":
        """The cluster for an engine that spreads one model over so many accelerators."""
        return self


class RayCluster(Settings):
    """Score in Ray actors, on a running cluster or else on a Ray that is started on this machine."""

    type: Literal["ray"] = "ray"
    address: str | None = Field(
        None, description="address of a running cluster; null: RAY_ADDRESS, or else a local Ray"
    )
    workers: int | Literal["auto"] = Field(
        "auto", description="number of actors; auto: as many as the nodes hold, also after nodes join or leave"
    )
    cpus_per_worker: int | Literal["auto"] = Field("auto", description="CPU cores and torch threads per actor")
    gpus_per_worker: float | Literal["auto"] = Field(
        "auto", description="GPUs per actor, a part of one or whole ones; auto: 1 if the cluster has GPUs"
    )
    autoscaling: bool = Field(
        False, description="ask for more workers than the nodes hold, so that the cluster's autoscaler adds nodes"
    )
    attempts: int = Field(2, ge=1, description="attempts at a candidate before it counts as failed")
    respawns: int = Field(3, ge=0, description="replacements per worker, on average; preempted workers do not count")
    prefetch: int = Field(
        1, ge=0, le=8, description="bundles that wait at each worker while it scores one, where that takes seconds"
    )
    hedge: float | None = Field(
        3.0, gt=1, description="times the median after which a free worker starts a speculative copy; null: never"
    )
    deadline: float = Field(10.0, gt=1, description="times the median after which a silent worker is replaced")
    deadline_seconds: float = Field(60.0, gt=0, description="shortest deadline in seconds")
    start_seconds: float = Field(
        600.0, gt=0, description="seconds allowed for a worker to load base and experts, and for the first candidates"
    )

    @field_validator("workers", "cpus_per_worker", mode="before")
    @classmethod
    def _count(cls, value: object) -> object:
        if value != "auto" and not (type(value) is int and value >= 1):
            raise ValueError("must be auto or a whole number of at least 1")
        return value

    @field_validator("gpus_per_worker", mode="before")
    @classmethod
    def _gpus(cls, value: object) -> object:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if value == "auto" or (number and (0 <= value <= 1 or (value > 1 and value % 1 == 0))):  # type: ignore[operator]
            return value
        raise ValueError("must be auto, a part of one GPU (0 to 1), or a whole number of GPUs")

    @model_validator(mode="after")
    def _number(self) -> "RayCluster":
        if self.autoscaling and "auto" in (self.workers, self.cpus_per_worker, self.gpus_per_worker):
            raise ValueError(
                "autoscaling: true cannot derive sizes from nodes that have not joined yet; "
                "set workers, cpus_per_worker and gpus_per_worker to numbers"
            )
        return self

    @property
    def on_ray(self) -> "RayCluster":
        """The settings of Ray, which is used."""
        return self

    def holding(self, accelerators: int) -> "RayCluster":
        """The cluster for an engine that spreads one model over so many accelerators. Raises ConfigError."""
        gpus = self.gpus_per_worker
        if gpus == "auto" and accelerators > 1:
            return self.model_copy(update={"gpus_per_worker": float(accelerators)})
        if gpus != "auto" and gpus > 1 and gpus != accelerators:
            raise ConfigError(
                f"cluster.gpus_per_worker: {gpus:g}, but the engine uses {accelerators}; a model is spread "
                f"over several by engine: {{type: vllm, tensor_parallel_size: {gpus:g}}}"
            )
        return self


ClusterSettings = LocalCluster | RayCluster
