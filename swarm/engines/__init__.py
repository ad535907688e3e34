"""Engines: what holds the weights and answers requests.

To add one: write `swarm/engines/NAME.py` with an `EngineSettings` subclass whose `type` is a Literal of its
name and whose `open` returns the engine, and add one line to ENGINES.
"""

from swarm.engines.base import Engine, EngineSettings
from swarm.engines.encoding import Encoder, Requests
from swarm.engines.transformers.engine import TransformersSettings
from swarm.engines.vllm.engine import VllmSettings

ENGINES: dict[str, type[EngineSettings]] = {
    "transformers": TransformersSettings,
    "vllm": VllmSettings,
}

__all__ = ["ENGINES", "Encoder", "Engine", "EngineSettings", "Requests"]
