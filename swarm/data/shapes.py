"""Brings rows of common data sets into one shape: prompt or messages, answer, choices.

choices    `endings` and `options` too; a list of texts or of {label, text}, a map from key to text, or ARC's
           {text: [...], label: [...]}
prompt     `ctx`, `problem`, `question_stem`, `query`, or `instruction` with `input` below it, or `input` alone
messages   ShareGPT's `conversations` ({from, value}) too, or a chat as `prompt` with a chat as `completion`
answer     with choices `answerKey` or `label` (an index from 0); else `answers`, `completion`, the `output` of an
           `instruction`, the `solution` of a `problem`, `response`, `output`, `target`, or the assistant's turn that
           ends a chat
levels     `avoidance`, `generic` and `expert`, three reference answers, where there are neither choices nor an answer:
           they become choices with these keys, and the answer is `expert`
pairs      `chosen` and `rejected`, two texts or chats, where there are neither choices nor an answer: they become
           choices with these keys, and the answer is `chosen`
"""

from collections.abc import Mapping

from swarm.core.examples import LEVELS
from swarm.data.answer_pairs import choices_from_pair
from swarm.data.rows import ROLES, Row

ASKED = ("prompt", "question", "messages")
ALSO_ASKED = ("ctx", "problem", "question_stem", "instruction")
ALSO_CHAT = ("conversations", "conversation")
LAST_ASKED = ("query", "input")
ALSO_CHOICES = ("endings", "options")
ALSO_CHOSEN = ("answerKey", "label")
ALSO_ANSWER = ("answers", "completion")
LAST_ANSWER = ("response", "output", "target")
ANSWER_OF = {"instruction": "output", "problem": "solution"}
NESTED = ("choices", *ALSO_CHOICES, "messages", *ALSO_CHAT, "answers")  # fields that may hold lists or maps
COLUMNS = (
    *ASKED, *ALSO_ASKED, *ALSO_CHAT, *LAST_ASKED, "choices", *ALSO_CHOICES, "answer", *ALSO_CHOSEN, *ALSO_ANSWER,
    *LAST_ANSWER, *ANSWER_OF.values(), "id", "task", "group", "context", "system", "text",
    "chosen", "rejected", "ambiguous", *LEVELS,
)  # fmt: skip
READ = (
    "prompt or question with answer (and choices); instruction, input and output (Alpaca); messages with role and "
    "content, or conversations with from and value (ShareGPT), that end with the answer; prompt and completion; "
    "problem and solution; query or input with response, output or target; avoidance, generic and expert; "
    "prompt, chosen and rejected"
)


def row_of(where: str, written: Mapping[str, object], needs_answer: bool = True) -> Row:
    """The row under our names. needs_answer: whether a chat must end with an answer. Raises DataError."""
    fields, names = dict(written), dict[str, str]()

    def take(target: str, *sources: str) -> None:
        if fields.get(target) is None:
            source = next((name for name in sources if fields.get(name) is not None), None)
            if source is not None:
                fields[target], names[target] = fields[source], source

    take("choices", *ALSO_CHOICES)
    for target, sources in (("prompt", ALSO_ASKED), ("messages", ALSO_CHAT), ("prompt", LAST_ASKED)):
        if all(fields.get(name) is None for name in ASKED):
            take(target, *sources)
    asked = names.get("prompt", "")
    if fields.get("choices") is not None:
        take("answer", *ALSO_CHOSEN)
    take("answer", *([ANSWER_OF[asked]] if asked in ANSWER_OF else []), *ALSO_ANSWER, *LAST_ANSWER)
    row = Row(where, fields, names)
    choices_from_pair(row, fields, names)
    if asked == "instruction" and isinstance(fields["prompt"], str) and str(fields.get("input") or "").strip():
        fields["prompt"] = f"{fields['prompt']}\n\n{row.text('input')}"
    _join_chats(fields, names)
    if all(fields.get(name) is None for name in ASKED[:2]) and isinstance(fields.get("messages"), list):
        fields["messages"] = _turns(fields)
        _answer_from_chat(row, fields, names, needs_answer)
    _spread_choices(row, fields)
    _choices_from_levels(row, fields)
    answer = fields.get("answer")
    if fields.get("choices") is not None and isinstance(answer, list) and len(answer) == 1:
        fields["answer"] = answer[0]
    return row


def _join_chats(fields: dict[str, object], names: dict[str, str]) -> None:
    """A chat as prompt with its completion becomes one chat."""
    prompt, completion = fields.get("prompt"), fields.get("completion")
    if not _is_chat(prompt) or completion is None or names.get("answer") != "completion":
        return
    assert isinstance(prompt, list)
    if _is_chat(completion):
        prompt = [*prompt, *completion]  # type: ignore[misc]
        del fields["answer"], names["answer"]
    fields["messages"], names["messages"], fields["prompt"] = prompt, "prompt", None


def _is_chat(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(turn, dict) for turn in value)


def _turns(fields: Mapping[str, object]) -> list[object]:
    """The turns as {role, content} where they are ShareGPT's {from, value}. A system prompt beside them comes first."""
    turns = fields["messages"]
    assert isinstance(turns, list)
    read = [_turn(turn) if isinstance(turn, dict) and "role" not in turn else turn for turn in turns]
    system, first = fields.get("system"), read[0] if read else None
    if (
        not isinstance(system, str)
        or not system.strip()
        or not any("from" in turn for turn in turns if _is_chat([turn]))
    ):
        return read
    has_system = isinstance(first, dict) and first.get("role") == "system"
    return read if has_system else [{"role": "system", "content": system}, *read]


def _turn(turn: Mapping[str, object]) -> dict[str, object]:
    role = turn.get("from")
    known = ROLES.get(role.lower(), role) if isinstance(role, str) else role
    return {**turn, "role": known, "content": turn.get("value", turn.get("content"))}


def content_of(row: Row, turn: Mapping[str, object]) -> str:
    """The text of a turn, which may be in parts."""
    content = turn.get("content")
    if isinstance(content, list):
        for part in content:
            if not isinstance(part, dict) or part.get("type", "text") != "text":
                kind = part.get("type") if isinstance(part, dict) else part
                row.fail("messages", f"has a part {kind!r}; only parts {{type: text, text: ...}} can be scored")
        content = "".join(row.checked("messages", part.get("text")) for part in content)
    return row.checked("messages", content)


def _answer_from_chat(row: Row, fields: dict[str, object], names: dict[str, str], needed: bool) -> None:
    """Take the assistant's turn that ends a chat as the answer."""
    turns = fields["messages"]
    assert isinstance(turns, list)
    last = turns[-1] if turns else None
    if not turns:
        row.fail("messages", "is empty: it has no turn of the role user; add the question as one")
    if not isinstance(last, dict) or last.get("role") != "assistant":
        if needed and fields.get("answer") is None and isinstance(last, dict):
            said = repr(last.get("role"))[:40]
            row.fail(
                "messages",
                f"ends with {said}, and answer is missing; end it with the assistant's turn, or add `answer`",
            )
        return
    said = content_of(row, last)
    answer = fields.get("answer")
    if answer is not None and (not isinstance(answer, str) or answer.strip() != said.strip()):
        row.fail("messages", "ends with the assistant's turn; give that as `answer`, or leave `answer` out")
    fields["messages"] = turns[:-1]
    if answer is None:
        fields["answer"], names["answer"] = said, "messages"


def _choices_from_levels(row: Row, fields: dict[str, object]) -> None:
    """Three reference answers become choices. One of these names alone may mean anything."""
    given = [level for level in LEVELS if row.has(level)]
    if len(given) < 2 or row.has("choices") or row.has("answer"):
        return
    for level in LEVELS:
        if level not in given:
            row.lacks(level, f"give an answer of each level ({', '.join(LEVELS)}), or remove the example")
    fields["choices"], fields["answer"] = {level: row.text(level) for level in LEVELS}, "expert"


def _spread_choices(row: Row, fields: dict[str, object]) -> None:
    """Choices that are given as labels and texts become a map from key to text."""
    value = fields.get("choices")
    if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
        value = {name: [each.get(name) for each in value] for name in ("label", "text")}
    if not isinstance(value, dict) or not isinstance(value.get("text"), list):
        return
    labels, texts = value.get("label"), value["text"]
    if not isinstance(labels, list) or len(labels) != len(texts):
        row.fail("choices", "has not one label for every text; write {text: [...], label: [...]} of equal length")
    keys = [row.checked("choices", label) for label in labels]
    if len(set(keys)) < len(keys):
        row.fail("choices", "has the same label twice; give each choice its own")
    fields["choices"] = dict(zip(keys, texts, strict=True))
