"""Engines hold base and experts in memory, put recipes in place and answer requests.

An engine may import `swarm.core`, `swarm.experts`, torch, transformers and its own backend; only `vllm/` may import
vLLM. Objectives, compositions, search and Ray must never be in this package: an engine knows requests and recipes, not
what they are scored for or where they come from.

To add an engine:

1. Write `swarm/engines/NAME.py`, or a package where it takes several files, with a subclass of `EngineSettings`
   (base.py): its `type` is a Literal of the engine's name, its fields are the YAML keys under `engine:`, and its `open`
   returns the engine.
2. The engine has the two methods of `Engine` (base.py) and keeps the promises listed there.
3. Import a backend that is not always installed when the engine is opened, not before.
4. Add one line to ENGINES.
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
