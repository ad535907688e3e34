"""What the messages about `swarm curate` say to do."""

from support.bad_inputs import Scene, Words
from support.remedy_steps import Remedy, put, without, written


def overwritten(scene: Scene, words: Words) -> Words:
    return [*words, "--overwrite"]


def emptied(scene: Scene, words: Words) -> Words:
    (scene.folder / "curated" / "notes.txt").unlink()
    return words


def data(scene: Scene) -> str:
    return str(scene.playground.data)


ONE = '{"prompt": "p", "answer": "a"}\n'
REMEDIES: dict[str, tuple[Remedy, ...]] = {
    "curated-of-nothing": (written("raw.jsonl", ONE),),
    "curated-data-nowhere": (put("data", data),),
    "none-to-choose": (put("curate.examples", 1),),
    "unknown-curation": (without("curate.exmaples"),),
    "quota-above-all": (without("curate.quota"),),
    "quota-by-nothing": (without("curate.quota"),),
    "quota-of-an-unknown": (put("curate.quota.counts", {"maths": 1}),),
    "no-expression-to-match": (put("curate.must_match", "."),),
    "slow-expression": (put("curate.must_not_match", "^a+$!"),),
    "shortest-above-longest": (put("curate.answer", {"low": 0, "high": 9000}),),
    "unknown-script": (put("curate.script", "latin"),),
    "tokens-of-no-base": (put("base", lambda scene: str(scene.playground.base)), without("curate.unit")),
    "states-of-no-base": (put("base", lambda scene: str(scene.playground.base)), without("curate.embedding")),
    "against-nowhere": (without("curate.against"),),
    "nothing-left": (without("curate.against"),),
    "full-folder-to-curate-into": (overwritten, emptied, put("out", "another")),
}
