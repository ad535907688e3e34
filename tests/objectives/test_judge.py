"""A judge at an endpoint: what it is asked, what its replies mean, when it is asked again, and where its key is not."""

import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from support.judges import JudgeServer, Reply, judge_server
from support.playground import Playground, run_cli
from swarm.core.errors import ConfigError, DataError, EvaluationError
from swarm.core.examples import Example, Message
from swarm.core.requests import Text
from swarm.objectives.judge import Judge
from swarm.objectives.judging import filled, rating, verdict

ASKED = Example("q", "Why is the sky blue?", "Short waves scatter more.")
KEY = "sk-never-to-be-written"


def judge(server: JudgeServer, folder: Path, **settings: object) -> Judge:
    given = {"name": "x", "url": server.url, "model": "m", "cache": str(folder), "backoff": 0.01, "retries": 2}
    return Judge(**(given | settings))


def score(objective: Judge, *written: str, example: Example = ASKED) -> list[float]:
    objective.check(example)
    answered = [(example, [Text(each, 3)]) for each in written]
    return [scored.score for scored in objective.score_all(answered)]


def prefers(good: str) -> Callable[[str, int], Reply]:
    """A judge that prefers the reply that is `good`, wherever it stands."""

    def reply(asked: str, _: int) -> Reply:
        first, second = (re.search(rf"\[Reply {name}\]\n(.*?)\n\n\[", asked, re.DOTALL)[1] for name in "AB")
        return "tie" if first == second else "A" if good in first else "B" if good in second else "tie"

    return reply


def test_the_score_is_the_number_that_the_judge_gives(tmp_path: Path) -> None:
    with judge_server(lambda asked, _: "9" if "Rayleigh" in asked else "2/10") as server:
        assert score(judge(server, tmp_path), "Rayleigh.", "No idea.") == [9.0, 2.0]
    assert all("Why is the sky blue?" in asked and "from 1 (worst) to 10 (best)" in asked for asked in server.asked)
    assert all("Short waves" not in asked for asked in server.asked), "no reference where none is asked for"
    assert {body["model"] for body in server.bodies} == {"m"}
    assert all((body["temperature"], body["max_tokens"]) == (0, 64) for body in server.bodies)


def test_pairs_are_shown_in_both_orders_and_averaged(tmp_path: Path) -> None:
    with judge_server(prefers("Rayleigh")) as server:
        assert score(judge(server, tmp_path, mode="pairwise"), "Rayleigh.", "No.", ASKED.answer) == [1.0, 0.5, 0.5]
    with judge_server(prefers("Short waves")) as server:
        assert score(judge(server, tmp_path, mode="pairwise"), "No idea.") == [0.0]


@pytest.mark.parametrize("said", ["A", "B"])
def test_a_judge_that_only_sees_the_order_finds_a_tie(said: str, tmp_path: Path) -> None:
    with judge_server(lambda *_: said) as server:
        assert score(judge(server, tmp_path, mode="pairwise"), "Anything.") == [0.5]
    assert len(server.asked) == 2


def test_every_reply_is_kept_under_the_full_request(tmp_path: Path) -> None:
    with judge_server(lambda *_: "7") as server:
        first = score(judge(server, tmp_path), "One.", "Two.")
        assert score(judge(server, tmp_path), "One.", "Two.") == first
        assert len(server.asked) == 2
        for other in ({"model": "n"}, {"parameters": {}}, {"judge_prompt": "{answer}?"}, {"highest": 9}):
            score(judge(server, tmp_path, **other), "One.")
        assert len(server.asked) == 6
    assert score(judge(server, tmp_path), "Two.") == [7.0], "without an endpoint"
    for kept in tmp_path.rglob("*.json"):
        kept.write_text("{")
    with judge_server(lambda *_: "3") as damaged:
        assert score(judge(server, tmp_path, url=damaged.url), "One.") == [3.0]


def test_failures_are_retried_and_then_said(tmp_path: Path) -> None:
    with judge_server(lambda _, number: (503, "busy") if number < 2 else "5") as server:
        assert score(judge(server, tmp_path), "One.") == [5.0]
    with (
        judge_server(lambda *_: (500, "broken inside")) as server,
        pytest.raises(
            EvaluationError, match=r"objectives\.x: the endpoint at .* gave no reply in 3 tries .*500: broken"
        ),
    ):
        score(judge(server, tmp_path), "Two.")
    assert len(server.asked) == 3
    with pytest.raises(EvaluationError, match=r"gave no reply in 3 tries .*refused"):
        score(judge(server, tmp_path), "Nobody is there.")


def test_it_waits_as_long_as_the_endpoint_asks(tmp_path: Path) -> None:
    replies: list[Reply] = [(429, "slow down", {"Retry-After": "1"}), "5"]
    with judge_server(lambda _, number: replies[number]) as server:
        start = time.monotonic()
        assert score(judge(server, tmp_path), "One.") == [5.0]
    assert time.monotonic() - start >= 1.0


@pytest.mark.parametrize("body", ["<html>", "{}", '{"choices": []}', '{"choices": [{"message": 3}]}', "[]"])
def test_nonsense_is_retried(body: str, tmp_path: Path) -> None:
    with judge_server(lambda _, number: (200, body) if number == 0 else "5") as server:
        assert score(judge(server, tmp_path), "One.") == [5.0]


def test_a_slow_endpoint_is_left(tmp_path: Path) -> None:
    def slow(_: str, number: int) -> Reply:
        time.sleep(0.6 if number == 0 else 0)
        return "5"

    with judge_server(slow) as server:
        assert score(judge(server, tmp_path, timeout=0.2), "One.") == [5.0]
    assert len(server.asked) == 2


def test_several_requests_run_at_a_time(tmp_path: Path) -> None:
    def slow(*_: object) -> Reply:
        time.sleep(0.3)
        return "5"

    with judge_server(slow) as server:
        start = time.monotonic()
        assert score(judge(server, tmp_path), *(f"Reply {i}." for i in range(8))) == [5.0] * 8
    assert time.monotonic() - start < 1.5, "one after another takes 2.4 s"


@pytest.mark.parametrize("mode", ["score", "pairwise"])
def test_what_cannot_be_read_is_asked_for_once_more(mode: str, tmp_path: Path) -> None:
    good = "7" if mode == "score" else "tie"
    with judge_server(lambda asked, _: good if "nothing else." in asked[-20:] and len(asked) < 80 else "Hm!") as server:
        assert score(judge(server, tmp_path, mode=mode), "One.") == [7.0 if mode == "score" else 0.5]
    assert server.bodies[1]["messages"][1] == {"role": "assistant", "content": "Hm!"}
    with (
        judge_server(lambda *_: "It is hard to say.") as server,
        pytest.raises(EvaluationError, match=r"m replied 'It is hard to say\.' instead of"),
    ):
        score(judge(server, tmp_path, mode=mode), "Two.")


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("7", 7.0),
        (" **7.5** ", 7.5),
        ("Rating: 7/10", 7.0),
        ("7 out of 10.", 7.0),
        ("10/10", 10.0),
        ("<think>3 or 4?</think>8", 8.0),
        ("7 or 8", None),
        ("11", None),
        ("-3", None),
        ("seven", None),
        ("", None),
    ],
)
def test_ratings(said: str, value: float | None) -> None:
    assert rating(said, 1, 10) == value


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("A", 1.0),
        ("**B**", 0.0),
        ("[[A]]", 1.0),
        ("Reply B.", 0.0),
        ("Tie", 0.5),
        ("A is better than B", None),
        ("", None),
    ],
)
def test_verdicts(said: str, value: float | None) -> None:
    assert verdict(said) == value


def test_what_is_written_cannot_fill_the_question() -> None:
    assert (
        filled("{prompt}|{answer}|{other}", {"prompt": "{answer}", "answer": "{prompt}"}) == "{answer}|{prompt}|{other}"
    )


def test_a_question_of_the_users_own(tmp_path: Path) -> None:
    chat = replace(ASKED, prompt=(Message("system", "Be brief."), Message("user", "Why?")), context="Of light.")
    question = "{prompt} // {answer} // {reference} // {lowest}-{highest}"
    with judge_server(lambda *_: "0.5") as server:
        objective = judge(server, tmp_path, judge_prompt=question, lowest=0, highest=1, chat=True)
        assert score(objective, "So.", example=chat) == [0.5]
    assert server.asked == ["system: Be brief.\n\nuser: Of light.\n\nWhy? // So. // Short waves scatter more. // 0-1"]
    with pytest.raises(DataError, match="has no answer to compare with"):
        objective.check(replace(chat, answer=""))
    with pytest.raises(DataError, match="has no answer to compare with"):
        judge(server, tmp_path, mode="pairwise").check(replace(ASKED, answer=""))


class TestTheKey:
    def test_it_is_in_the_header_and_nowhere_else(self, tmp_path, monkeypatch):
        monkeypatch.setenv("MY_JUDGE", f" {KEY}\n")
        with judge_server(lambda *_: "5") as server:
            objective = judge(server, tmp_path, key_env="MY_JUDGE")
            score(objective, "One.")
        assert server.keys == [f"Bearer {KEY}"]
        assert KEY not in objective.model_dump_json() + "".join(file.read_text() for file in tmp_path.rglob("*.json"))

    def test_without_key_env_no_key_is_sent(self, tmp_path, monkeypatch):
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        with judge_server(lambda *_: "5") as server:
            score(judge(server, tmp_path), "One.")
        assert server.keys == [None]

    def test_errors_that_repeat_it_are_redacted(self, tmp_path, monkeypatch):
        monkeypatch.setenv("MY_JUDGE", KEY)
        for status, kind in ((401, ConfigError), (400, EvaluationError), (500, EvaluationError)):
            with (
                judge_server(lambda *_, status=status: (status, f"bad key {KEY}")) as server,
                pytest.raises(kind) as said,
            ):
                score(judge(server, tmp_path, key_env="MY_JUDGE", retries=0), "One.")
            assert "bad key ***" in str(said.value)
            assert KEY not in str(said.value)

    def test_it_does_not_follow_a_redirect(self, tmp_path, monkeypatch):
        monkeypatch.setenv("MY_JUDGE", KEY)
        with judge_server(lambda *_: "5") as elsewhere:
            moved = {"Location": f"{elsewhere.url}/chat/completions"}
            for status in (301, 302, 307, 308):
                with (
                    judge_server(lambda *_, status=status: (status, "moved", moved)) as server,
                    pytest.raises(EvaluationError, match=f"refuses to answer .HTTP {status}"),
                ):
                    score(judge(server, tmp_path, key_env="MY_JUDGE"), "One.")
        assert elsewhere.asked == []

    def test_one_that_is_not_set_is_said_before_anything_runs(self, tmp_path, monkeypatch):
        monkeypatch.delenv("MY_JUDGE", raising=False)
        with judge_server(lambda *_: "5") as server, pytest.raises(ConfigError, match="MY_JUDGE is not set; export it"):
            judge(server, tmp_path, key_env="MY_JUDGE").check(ASKED)
        monkeypatch.setenv("MY_JUDGE", "one\ntwo")
        with pytest.raises(ConfigError, match="MY_JUDGE holds more than a key"):
            judge(server, tmp_path, key_env="MY_JUDGE").check(ASKED)


@pytest.mark.parametrize(("status", "key"), [(401, "key_env"), (403, "key_env"), (404, "url")])
def test_the_users_mistakes_end_the_run(status: int, key: str, tmp_path: Path) -> None:
    with (
        judge_server(lambda *_: (status, "no")) as server,
        pytest.raises(ConfigError, match=rf"objectives\.x\.{key}: .*HTTP {status}: no\); correct {key}"),
    ):
        score(judge(server, tmp_path), "One.")
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"url": "ftp://host/v1"}, "is no address"),
        ({"url": "host/v1"}, "is no address"),
        ({"url": f"https://user:{KEY}@host/v1"}, "holds more than an address"),
        ({"url": f"https://host/v1?key={KEY}"}, "holds more than an address"),
        ({"key_env": KEY}, "is no name of an environment variable"),
        ({"judge_prompt": "Rate {prompt}"}, r"has no \{answer\}"),
        ({"judge_prompt": "{answer}", "mode": "pairwise"}, r"has no \{first\}"),
        ({"lowest": 10}, "lowest 10 is not below highest 10"),
        ({"cache": "replies"}, "is relative"),
        ({"parameters": {"messages": []}}, "'messages' is not free"),
        ({"parameters": {"api_key": "x"}}, "'api_key' is not free"),
    ],
)
def test_settings_that_are_refused(settings: dict[str, object], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        Judge(**({"name": "x", "url": "http://host/v1", "model": "m"} | settings))


def test_how_it_is_reached_is_not_part_of_a_run() -> None:
    one = Judge(name="x", url="http://host/v1", model="m")
    other = one.model_copy(update={"key_env": "K", "cache": "/c", "concurrency": 1, "timeout": 5, "retries": 0})
    assert one.decisive() == other.decisive() != one.model_copy(update={"model": "n"}).decisive()


def test_a_folder_that_cannot_be_made_is_the_users_mistake(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with judge_server(lambda *_: "5") as server, pytest.raises(ConfigError, match=r"x\.cache: .* cannot be made"):
        score(judge(server, tmp_path / "file"), "One.")


def test_no_file_of_a_run_holds_the_key(
    playground: Playground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither journal nor record, report, config or kept replies."""
    monkeypatch.setenv("MY_JUDGE", KEY)
    with judge_server(lambda asked, _: str(1 + len(asked) % 10)) as server:
        liked = judge(server, tmp_path / "replies", data=str(playground.data), key_env="MY_JUDGE", max_new_tokens=4)
        config = playground.config(objectives=[liked.model_dump(mode="json")])
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
        done = run_cli("search", tmp_path / "config.yaml", "--run-dir", tmp_path / "run")
    assert done.code == 0, done.err
    assert set(server.keys) == {f"Bearer {KEY}"}
    written = [file for file in (*(tmp_path / "run").rglob("*"), *(tmp_path / "replies").rglob("*")) if file.is_file()]
    assert len(written) > 5
    assert not [file for file in written if KEY.encode() in file.read_bytes()]
    assert KEY not in done.out + done.err
