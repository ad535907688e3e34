"""`swarm generate`: what an export of any form writes after prompts, from a file or from standard input."""

import io
import json
from pathlib import Path

import pytest

import swarm
from support.playground import Playground, run_cli, write_lines

PROMPTS = ["abc=", "hello there", "x"]


@pytest.fixture(scope="module")
def prompts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("prompts") / "prompts.txt"
    file.write_text("\n".join(PROMPTS))
    return file


def objects(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_every_form_writes_what_the_run_s_best_writes(finished_run: Path, prompts: Path, tmp_path: Path) -> None:
    found = {}
    for form in ("hf", "adapter", "recipe"):
        assert run_cli("export", finished_run, tmp_path / form, "--format", form).code == 0
        done = run_cli("generate", tmp_path / form, "--prompts", prompts, "--max-new-tokens", 8, "--json")
        assert (done.code, done.err) == (0, "")
        found[form] = objects(done.out)
    of_run = objects(run_cli("generate", finished_run, "--prompts", prompts, "--max-new-tokens", 8, "--json").out)
    assert [row["prompt"] for row in of_run] == PROMPTS
    assert {row["tokens"] for row in of_run} <= set(range(9))
    assert found == dict.fromkeys(found, of_run)


def test_json_lines_in_and_plain_lines_out(finished_run: Path, tmp_path: Path) -> None:
    rows = write_lines(tmp_path / "rows.jsonl", [{"id": "q1", "prompt": "abc=", "context": "a"}, {"prompt": "x"}])
    done = run_cli("generate", finished_run, "--prompts", rows, "--max-new-tokens", 6, "-o", tmp_path / "out.txt")
    assert done.out == f"{tmp_path / 'out.txt'}\n"
    lines = run_cli("generate", finished_run, "--prompts", rows, "--max-new-tokens", 6).out
    assert (tmp_path / "out.txt").read_text() == lines
    assert len(lines.splitlines()) == 2
    ids = [row["id"] for row in objects(run_cli("generate", finished_run, "--prompts", rows, "--json").out)]
    assert ids == ["q1", "2"]


def test_standard_input_and_sampling_repeat(finished_run: Path, prompts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("--max-new-tokens", 8, "--temperature", 1.0, "--top-p", 0.9, "--json")
    outs = []
    for seed in (1, 1, 2):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(prompts.read_text().encode())))
        outs.append(run_cli("generate", finished_run, *words, "--seed", seed).out)
    assert outs[0] == outs[1] != outs[2]


def test_coefficients_can_be_set(playground: Playground, finished_run: Path, prompts: Path, tmp_path: Path) -> None:
    run_cli("export", finished_run, tmp_path / "recipe", "--format", "recipe")
    zeros = [word for name in ("red", "green", "blue") for word in ("--set", f"{name}=0")]
    ours = run_cli("generate", tmp_path / "recipe", "--prompts", prompts, *zeros, "--json").out
    assert ours == run_cli("generate", playground.base, "--prompts", prompts, "--json").out


@pytest.mark.parametrize(("words", "message"), [
    (("--set", "red"), "'red' is not NAME=COEFFICIENT"),
    (("--set", "nosuch=1"), "'nosuch' has no coefficient here"),
    (("--prompts", "nowhere.txt"), "nowhere.txt"),
    (("--dtype", "int4"), "'int4' is unknown"),
    (("--max-new-tokens", 10_000), "lower max_new_tokens"),
])  # fmt: skip
def test_mistakes_are_one_line(finished_run: Path, prompts: Path, words: tuple[object, ...], message: str) -> None:
    done = run_cli("generate", finished_run, "--prompts", prompts, *words)
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert len(done.err.splitlines()) == 1


def test_what_is_no_export_is_refused(prompts: Path, tmp_path: Path) -> None:
    done = run_cli("generate", tmp_path, "--prompts", prompts)
    assert (done.code, "is no export" in done.err) == (2, True)
    (tmp_path / "mergekit.yaml").write_text("{}")
    assert "run mergekit-yaml" in run_cli("generate", tmp_path, "--prompts", prompts).err


def test_a_loaded_export_has_its_tokenizer_and_writes_the_same(finished_run: Path, prompts: Path) -> None:
    model = swarm.load(finished_run, device="cpu")
    given = model.tokenizer(PROMPTS[:1], return_tensors="pt", return_token_type_ids=False)
    written = model.generate(**given, max_new_tokens=8, do_sample=False, pad_token_id=0)
    text = model.tokenizer.decode(written[0, given["input_ids"].shape[1] :], skip_special_tokens=True)
    rows = objects(run_cli("generate", finished_run, "--prompts", prompts, "--max-new-tokens", 8, "--json").out)
    assert rows[0]["answer"] == text
