"""A whole run over an encoder-decoder: searched, exported, verified; what its engine says reaches the user."""

import json
from pathlib import Path

import pytest
from transformers import AutoModelForSeq2SeqLM

from support.architectures import ARCHITECTURES, NAMES, Bed
from support.runs import Silent, journal, write_examples
from swarm.config.load import parse_config
from swarm.config.references import resolve
from swarm.run.pipeline import start_run


@pytest.mark.parametrize(
    "cluster",
    ["local", pytest.param({"type": "ray", "workers": 1}, marks=pytest.mark.slow)],
    ids=str,
)
def test_an_encoder_decoder_is_searched_exported_and_its_notes_are_told(tmp_path: Path, cluster: object) -> None:
    bed = Bed(tmp_path)
    next(each for each in ARCHITECTURES if each.name == "t5").build(bed.base)
    file = bed.base / "generation_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"num_beams": 4}))
    data = str(write_examples(tmp_path / "words.jsonl", 15))
    config = {
        "base": "base",
        "experts": [str(bed.adapter(name)) for name in NAMES],
        "objectives": [
            {"name": "words", "type": "multiple_choice", "data": data},
            {"name": "texts", "type": "exact_match", "data": data, "max_new_tokens": 4},
        ],
        "optimizer": {"type": "pso", "particles": 2, "iterations": 1},
        "engine": {"dtype": "float32"},
        "cluster": {"type": "local"} if cluster == "local" else cluster,
    }
    heard = Silent()
    summary = start_run(resolve(parse_config(config, "test"), tmp_path), tmp_path / "run", heard)
    beams = "texts are generated without the 4 beams"
    assert [beams in note for note in heard.notes].count(True) == 1
    (plain,) = (note for note in summary.notes if "merged one after another" in note)
    assert plain in journal(tmp_path / "run")[0]["notes"]
    assert sum(beams in note for note in summary.notes) == 1
    assert beams in (tmp_path / "run" / "report.md").read_text()
    assert summary.export_check is not None
    assert summary.export_check.equal == summary.export_check.n > 0
    AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "run" / "best")
