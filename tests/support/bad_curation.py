"""Mistakes with `swarm curate`."""

from collections.abc import Callable

import yaml

from support.bad_inputs import Case, Scene, Words


def curating(
    data: str | None = None, beside: dict[str, object] | None = None, **settings: object
) -> Callable[[Scene], Words]:
    """`swarm curate` of the playground's data, or of a file with this text."""

    def arrange(scene: Scene) -> Words:
        path = scene.playground.data
        if data is not None:
            path = scene.folder / "raw.jsonl"
            path.write_text(data)
        content = {"data": str(path), "curate": {"examples": 8} | settings} | (beside or {})
        (scene.folder / "curate.yaml").write_text(yaml.safe_dump(content))
        return ["curate", scene.folder / "curate.yaml"]

    return arrange


def of_its_own_splits(scene: Scene) -> Words:
    """The search whose data are to be curated: all of it is in its splits."""
    search = scene.search()[1]
    return curating(against=[str(search)])(scene)


def full_folder(scene: Scene) -> Words:
    (scene.folder / "curated").mkdir()
    (scene.folder / "curated" / "notes.txt").write_text("mine")
    return curating()(scene)


CASES = [
    Case("curated-of-nothing", curating(""), "raw.jsonl", "no examples", "write one"),
    Case("curated-data-nowhere", curating(beside={"data": "non.jsonl"}), "data: ", "non.jsonl", "correct the path"),
    Case("none-to-choose", curating(examples=0), "curate.examples", "0", "at least 1"),
    Case("unknown-curation", curating(exmaples=4), "curate.exmaples", "unknown key", "did you mean 'examples'"),
    Case(
        "quota-above-all",
        curating(quota={"counts": {"a": 5, "b": 5}}),
        "quota.counts",
        "10, above examples 8",
        "lower a count or raise examples",
    ),
    Case("quota-by-nothing", curating(quota={"by": "topic"}), "curate.quota.by", "'topic'", "or leave quota out"),
    Case(
        "quota-of-an-unknown",
        curating('{"prompt": "p", "answer": "a", "task": "maths"}\n', quota={"counts": {"mahts": 1}}),
        "curate.quota.counts",
        "'mahts'",
        "did you mean 'maths'",
    ),
    Case("no-expression-to-match", curating(must_match="("), "curate.must_match.0", "'('", "correct it"),
    Case(
        "slow-expression",
        curating('{"prompt": "p", "answer": "' + 40 * "a" + '"}\n', must_not_match="^(a+)+$!"),
        "curate.must_not_match",
        "more than 1 s",
        "without repetitions in repetitions",
    ),
    Case("shortest-above-longest", curating(answer={"low": 9, "high": 3}), "curate.answer", "low 9", "exchange them"),
    Case("unknown-script", curating(script="latn"), "curate.script", "'latn'", "one of 'latin'"),
    Case("tokens-of-no-base", curating(unit="tokens"), "base: missing", "tokens", "add base:"),
    Case("states-of-no-base", curating(embedding="model"), "base: missing", "model", "add base:"),
    Case("against-nowhere", curating(against="tets.jsonl"), "curate.against", "tets.jsonl", "correct the path"),
    Case("nothing-left", of_its_own_splits, "curate: ", "in a split", "loosen"),
    Case("full-folder-to-curate-into", full_folder, "curated", "not empty", "--overwrite"),
]
