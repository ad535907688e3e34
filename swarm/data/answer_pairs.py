"""A better and a worse answer to one prompt, `chosen` and `rejected`, become two choices, of which `chosen` is right.

Both are texts, or chats that end with the assistant's turn. Chats of more turns begin with the same turns: these are
the prompt where the row has no other.
"""

from collections.abc import Mapping

from swarm.data.rows import Row

PAIR = ("chosen", "rejected")


def choices_from_pair(row: Row, fields: dict[str, object], names: dict[str, str]) -> None:
    """Raises DataError for chats without an answer, and for chats that begin differently."""
    if not all(map(row.has, PAIR)) or row.has("choices") or row.has("answer"):
        return
    said = {key: _parts(row, key) for key in PAIR}
    (before, _), (also_before, _) = said.values()
    if before != also_before:
        row.fail("rejected", "is a chat that begins otherwise than chosen; give both the same turns before the answer")
    if isinstance(row.fields.get("prompt"), list):
        fields["messages"], fields["prompt"], names["messages"] = row.fields["prompt"], None, "prompt"
    elif before and not any(map(row.has, ("prompt", "question", "messages"))):
        fields["messages"], names["messages"] = before, "chosen"
    fields["choices"] = {key: answer for key, (_, answer) in said.items()}
    fields["answer"] = "chosen"


def _parts(row: Row, key: str) -> tuple[list[object], object]:
    """The turns before the answer, and the answer."""
    value = row.fields[key]
    if not isinstance(value, list):
        return [], value
    last = value[-1] if value else None
    if not isinstance(last, Mapping) or last.get("role", last.get("from")) not in ("assistant", "gpt"):
        row.fail(key, "does not end with the assistant's turn; end it with the answer")
    return value[:-1], last.get("content", last.get("value"))
