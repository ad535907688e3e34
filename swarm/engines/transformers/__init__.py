"""The engine on Hugging Face transformers: it scores and generates for several candidates in one process.

A request flows through the files in this order:

- `load_model.py` loads the base's model and tokenizer.
- `merged_weights.py` merges a recipe into the live weights, in place.
- `stacked.py` puts several recipes beside the base's weights, as per-row LoRA layers;
- `stacked_layers.py` has those layers, one class per kind.
- `cost_model.py` predicts which of the two is faster.
- `capability_probe.py` tests when the engine opens which ways of batching give the answers of the model alone.
- `quantised_probe.py` tests whether adapters can stand beside a quantised base.
- `batches.py` makes the batches of a set of requests, once:
- `shared_prefixes.py` finds prefixes that prompts share;
- `packing.py` packs continuations behind their prompts, in rows of similar length.
- `forward.py` runs the model, with logits only where they are needed.
- `frozen_layers_cache.py` keeps the output of layers that no expert changes.
- `prefix_cache.py` keeps the keys and values of shared prefixes.
- `scoring.py` sums log-likelihoods of continuations.
- `prompts.py` batches the prompts of texts to generate;
- `generation.py` generates texts:
- `decoding.py` gives the model what it needs for the next token: keys and values, a state, or the whole text;
- `sampling.py` chooses the next token;
- `stopping.py` decides where a text ends;
- `margins.py` measures by how much it leads over, or falls short of, the answers that would be right.
- `answering.py` takes requests through all of this to replies.
- `logit_paths.py` runs the models whose logits a recipe combines: `logit_mix.py` says with which weights, and sums;
  `logits_cache.py` keeps what does not depend on coefficients; `model_copies.py` copies the base with an expert;
  `path_memory.py` predicts what all of this takes.
- `routing.py` gives each prompt its own coefficients, by the hidden states that `router_features.py` reads.
- `encoder_decoder.py` has the passes of an encoder-decoder, `pairs.py` its batches, `pair_probe.py` its tests, and
  `generation_rules.py` what its generation_config.json forces and forbids.
- `engine.py` has the settings and puts all of this together.
- `dial_model.py` is a live model that is set between two calls: `composed_layers.py` with one adapter beside the base,
  `stacked_dial.py` with coefficients of each row.
- `memory.py` predicts what a worker needs, before any of this is loaded.

It may import `swarm.core`, `swarm.experts`, `swarm.engines.base` and `swarm.engines.encoding`, torch and transformers.
Objectives, compositions, search, Ray and vLLM must never be in it. What is computed for one recipe must never be read
under another: what depends on weights is dropped when they change (`PrefixCache.use`).
"""
