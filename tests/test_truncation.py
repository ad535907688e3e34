"""What is cut, by `svd` from updates and by `max_new_tokens` from answers, and that the user is told."""

from pathlib import Path

import pytest
import torch

from models import make_base, make_checkpoint
from swarm.engines import Encoder
from swarm.experts import ExpertSpec, open_catalog
from swarm.objectives.exact_match import ExactMatch
from swarm.thinning import Thinning, thin
from swarm.truncation import cut_answer_notes, truncation_error, truncation_notes
from swarm.types import Example
from swarm.updates import Delta, delta_of
from swarm.workload import make_workload


def test_a_sketch_of_a_wide_matrix_is_as_good_as_its_svd() -> None:
    torch.manual_seed(0)
    delta = torch.randn(300, 400) * 0.01 + torch.randn(300, 10) @ torch.randn(10, 400) * torch.linspace(0.1, 1, 400)
    for rank in (3, 8, 20):
        cut = delta_of(thin(Delta(delta), delta, Thinning(svd=rank), ""), delta)
        best = torch.linalg.svdvals(delta)[rank:].square().sum().sqrt()
        assert (delta - cut).norm() <= 1.01 * best
        assert torch.equal(cut, delta_of(thin(Delta(delta), delta, Thinning(svd=rank), ""), delta))


def test_the_error_is_told_of_experts_that_are_cut(tmp_path: Path) -> None:
    base = make_base(tmp_path / "base")
    full = make_checkpoint(tmp_path / "full", base, 1)
    specs = [
        ExpertSpec("whole", full),
        ExpertSpec("cut", full, Thinning(svd=4)),
        ExpertSpec("all", full, Thinning(svd=999)),
    ]
    catalog = open_catalog(base, specs)
    (_, cut, everything) = catalog.experts
    lost = whole = 0.0
    for name in catalog.parameters():
        delta = delta_of(full_update := catalog.experts[0].update(name, catalog.base), catalog.base.tensors.read(name))
        assert full_update is not None
        whole += float(delta.square().sum())
        lost += float(torch.linalg.svdvals(delta)[4:].square().sum()) if delta.ndim == 2 else 0.0
    assert truncation_error(cut, catalog) == pytest.approx((lost / whole) ** 0.5, rel=0.01)
    assert truncation_error(everything, catalog) < 1e-5
    notes = truncation_notes(catalog)
    assert [note.split(":")[0] for note in notes] == ["expert cut", "expert all"]
    assert f"{100 * truncation_error(cut, catalog):.1f} %" in notes[0]


def test_right_answers_that_cannot_be_written_are_told(tmp_path: Path) -> None:
    """A token is a byte here: three of them hold what is three characters long, whatever would end it."""
    encoder = Encoder.of(make_base(tmp_path / "base"))
    answers = ["abcd", "abc", "x", "abcdefgh"]
    examples = [Example(str(i), "say", answer) for i, answer in enumerate(answers)]
    whole = ExactMatch(name="words", max_new_tokens=3)
    worked_out = ExactMatch(name="worked", max_new_tokens=3, extract="last_number")
    splits = [{each.name: part for each in (whole, worked_out)} for part in (examples[:3], examples[3:])]
    workloads = [make_workload([whole, worked_out], split, encoder) for split in splits]
    assert cut_answer_notes(workloads, encoder) == [
        "words: 2 of 4 right answers are longer than max_new_tokens: 3 (that of 0: 4 tokens), so no text is right "
        "there; raise it to 8"
    ]
    enough = ExactMatch(name="words", max_new_tokens=8)
    assert cut_answer_notes([make_workload([enough], {"words": examples}, encoder)], encoder) == []
