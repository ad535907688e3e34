"""The engine on vLLM. On a CPU it generates faster than the transformers engine, but scores and changes weights slower.

- `server.py` starts vLLM in this process and says which parts of its interface are used.
- `engine.py` has the settings, puts recipes in place and answers requests.
- `worker_extension.py` runs inside vLLM's workers: it composes a recipe and reloads it into the weights.
- `lora_files.py` writes a recipe as one LoRA adapter.
- `requests.py` turns requests into vLLM's sampling parameters, and its outputs into answers.

It may import `swarm.core`, `swarm.experts`, `swarm.engines.base`, `swarm.engines.encoding` and vLLM. vLLM is imported
when the engine is opened, never before, so that every other command works without it; only `worker_extension.py`, which
vLLM itself loads, imports it at the top. Nothing of the transformers engine must ever be in it.
"""
