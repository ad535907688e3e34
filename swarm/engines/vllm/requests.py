"""Requests as vLLM's sampling parameters, and vLLM's outputs as answers.

A continuation is scored as part of its prompt (`prompt_logprobs`). vLLM gives no log-probabilities for positions that
it took from the prefix cache, so where the cache reached into a continuation, the request is repeated without it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from swarm.core.errors import ConfigError, EvaluationError
from swarm.core.requests import Answer, Continuation, Generation, Likelihood, Text
from swarm.engines.encoding import Encoded, Tokenizer
from swarm.engines.vllm.server import Output, Server
from swarm.experts.expert import Base
from swarm.experts.safetensors_files import read_json


@dataclass(frozen=True)
class AssignedRequest:
    """A request and what is to answer it.

    item: the request.
    adapter: vLLM's LoRARequest; None for the weights in place.
    """

    item: Encoded
    adapter: object | None = None


def end_ids_of(base: Base, tokenizer: Tokenizer) -> tuple[int, ...]:
    """Tokens that end a generation: the tokenizer's, the config's and the generation config's."""
    file = base.path / "generation_config.json"
    generation = read_json(file, f"base {base.path}") if file.is_file() else {}
    found: set[int] = set()
    for value in (tokenizer.eos_token_id, base.config.get("eos_token_id"), generation.get("eos_token_id")):
        found |= {each for each in (value if isinstance(value, list) else [value]) if isinstance(each, int)}
    return tuple(sorted(found))


def answers_to(
    server: Server, tokenizer: Tokenizer, end_ids: Sequence[int], requests: Sequence[AssignedRequest]
) -> list[Answer]:
    """One answer per request, in order. Raises EvaluationError where one is not finite."""
    outputs = list(_run(server, end_ids, requests, cached=True))
    again = [i for i, (each, output) in enumerate(zip(requests, outputs, strict=True)) if _covered(each.item, output)]
    for i, output in zip(again, _run(server, end_ids, [requests[i] for i in again], cached=False), strict=True):
        outputs[i] = output
    return [
        _likelihood(each.item, output)
        if isinstance(each.item.request, Continuation)
        else _text(each.item.request, output, tokenizer)
        for each, output in zip(requests, outputs, strict=True)
    ]


def _run(
    server: Server, end_ids: Sequence[int], requests: Sequence[AssignedRequest], *, cached: bool
) -> Sequence[Output]:
    if not requests:
        return ()
    adapters = [each.adapter for each in requests]
    return server.generate(
        [{"prompt_token_ids": [*each.item.prompt, *each.item.continuation]} for each in requests],
        [_parameters(each.item, end_ids, cached) for each in requests],
        use_tqdm=False,
        lora_request=adapters if any(adapters) else None,
    )


def _parameters(item: Encoded, end_ids: Sequence[int], cached: bool) -> object:
    request = item.request
    if isinstance(request, Continuation) and request.divergence:
        raise ConfigError(
            "engine.type: vllm does not give the distributions that an objective of type knowledge compares; "
            "set engine.type to transformers, or measure a probe text by an objective of type likelihood"
        )
    from vllm import SamplingParams

    if isinstance(request, Continuation):
        options: dict[str, object] = {
            "max_tokens": 1,
            "temperature": 0.0,
            "prompt_logprobs": 0,
            "detokenize": False,
            "skip_reading_prefix_cache": not cached,
        }
    else:
        options = {
            "max_tokens": request.max_new_tokens,
            "temperature": request.temperature,
            "top_p": request.top_p,
            "seed": request.seed if request.temperature > 0 else None,
            "stop": list(request.stop),
            "stop_token_ids": list(end_ids),
            "detokenize": bool(request.stop),
            "logprobs": 0,  # only of the chosen token: NaN where the logits are NaN
        }
    parameters: object = SamplingParams(**options)
    return parameters


def _covered(item: Encoded, output: Output) -> bool:
    """True where the cache held the position that predicts the continuation's first token."""
    return isinstance(item.request, Continuation) and (output.num_cached_tokens or 0) >= len(item.prompt)


def _likelihood(item: Encoded, output: Output) -> Likelihood:
    n = len(item.continuation)
    assert output.prompt_logprobs is not None, "requested in the parameters"
    last = output.prompt_logprobs[len(output.prompt_logprobs) - n :]
    total, likeliest = 0.0, True
    for token, found in zip(item.continuation, last, strict=True):
        assert found is not None, "only the first token of a prompt has none"
        total += found[token].logprob
        likeliest &= found[token].rank == 1
    if not math.isfinite(total):
        raise EvaluationError("the log-likelihood is not finite: the composed weights are out of range")
    return Likelihood(total, n, likeliest if isinstance(item.request, Continuation) and item.request.greedy else None)


def _text(request: Generation, output: Output, tokenizer: Tokenizer) -> Text:
    """The text up to the first stop, decoded as the transformers engine does."""
    (completion,) = output.outputs
    tokens = list(completion.token_ids)
    chosen = [found[token].logprob for token, found in zip(tokens, completion.logprobs or (), strict=True)]
    if not all(math.isfinite(value) for value in chosen):
        raise EvaluationError("the logits are not finite: the composed weights are out of range")
    text = tokenizer.decode(tokens, skip_special_tokens=True)
    while any(stop in (before := tokenizer.decode(tokens[:-1], skip_special_tokens=True)) for stop in request.stop):
        text = before  # vLLM finds a stop text late where a character is incomplete
        tokens.pop()
    stops = [text.find(stop) for stop in request.stop if stop in text]
    return Text(text[: min(stops)] if stops else text, len(tokens))
