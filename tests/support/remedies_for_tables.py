"""What mends the mistakes in tables (CSV), in chat templates and in how splits overlap."""

from support.bad_examples import ROWS
from support.bad_inputs import Scene, Words
from support.playground import examples
from support.remedies_for_data import as_parquet, data_in
from support.remedy_steps import Remedy, put, then, typed, written

GOOD = examples(40)


def table(*head: str) -> str:
    """The examples as CSV, each answered by a text."""
    rows = [f"{each['prompt']},{i}\n" for i, each in enumerate(GOOD)]
    return "".join([f"{','.join(head)}\n", *rows])


def chosen(row: dict[str, object]) -> str:
    choices = str(row["choices"]).replace("'", '""')
    return f'{row["prompt"]},"{choices}",A\n'


def mended_csv(content: str) -> Remedy:
    """The table mended; its answers are texts, which exact_match compares."""
    return then(put("objectives.0.type", "exact_match"), written("d.csv", content))


def mended_template(scene: Scene, words: Words) -> Words:
    """The template of the base as it was saved with it."""
    good = scene.playground.base / "chat_template.jinja"
    return written("mine/chat_template.jinja", good.read_bytes())(scene, words)


WITHOUT_CHAT = put("objectives.0.chat", False)
TABLE = table("prompt", "answer")
CSV = mended_csv(TABLE)
REMEDIES: dict[str, tuple[Remedy, ...]] = {
    "excel": (
        data_in("d.jsonl", lambda: ROWS),
        then(put("objectives.0.type", "exact_match"), data_in("d.csv", lambda: TABLE.encode())),
        data_in("d.parquet", as_parquet),
    ),
    "csv-empty": (CSV,),
    "csv-headless": (CSV,),
    "csv-ragged": (CSV,),
    "csv-quotes": (CSV,),
    "csv-twice": (CSV,),
    "csv-choices": (written("d.csv", "prompt,choices,answer\n" + "".join(map(chosen, GOOD))),),
    "overlap-unknown": (
        typed("splits.overlap", "splits.overlap=error"),
        typed("splits.overlap", "splits.overlap=drop"),
    ),
    **dict.fromkeys(("template-raises", "template-broken", "template-too-large"), (WITHOUT_CHAT, mended_template)),
}
