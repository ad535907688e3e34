"""Examples that are in the files of two splits: all are told at once, and one word in the config drops them."""

import json
from itertools import combinations
from pathlib import Path

import pytest

from support.playground import Playground, examples, run_cli, summary_of, write_lines
from support.runs import journal
from swarm.core.errors import ConfigError, DataError
from swarm.data.duplicates import prompt_key
from swarm.data.splits import SPLITS, Splits, SplitSettings, make_splits


def rows(*numbers: int) -> list[dict[str, str]]:
    return [{"id": f"e{n}", "prompt": f"question {n}", "answer": f"{n}"} for n in numbers]


def files(folder: Path, **parts: list[dict[str, str]]) -> dict[str, str]:
    paths = {name: folder / f"{name}.jsonl" for name in parts}
    for name, lines in parts.items():
        paths[name].write_text("\n".join(map(json.dumps, lines)))
    return {name: str(path) for name, path in paths.items()}


def split(data: object, seed: int = 0, **settings: object) -> Splits:
    return make_splits("maths", data, SplitSettings(**settings), seed, Path)  # type: ignore[arg-type]


def sizes(splits: Splits) -> list[int]:
    return [len(splits.of(name)) for name in SPLITS]


def pairs_in_common(splits: Splits) -> int:
    asked = {name: {prompt_key(example) for example in splits.of(name)} for name in SPLITS}
    return sum(len(asked[one] & asked[other]) for one, other in combinations(SPLITS, 2))


@pytest.fixture
def overlapping(tmp_path: Path) -> dict[str, str]:
    """2, 3 and 6 examples of search are in select, in test, and in both."""
    parts = {"search": rows(*range(20)), "select": rows(*range(12, 40)), "test": rows(*range(9, 18), *range(50, 60))}
    return files(tmp_path, **parts)


def test_all_overlaps_are_counted_and_three_are_shown_with_their_lines(overlapping: dict[str, str]) -> None:
    with pytest.raises(DataError) as refusal:
        split(overlapping)
    said = str(refusal.value)
    shared = "select and test share 6 examples, search and test share 9 examples, search and select share 8 examples"
    assert said.startswith(f"splits: {shared}: ")
    search, select, test = (overlapping[name] for name in SPLITS)
    for place in (f"'e9' ({search}:10) in search and 'e9' ({test}:1) in test", f"'e12' ({select}:1) in select"):
        assert place in said
    assert said.count(" in search and ") + said.count(" in select and ") == 3
    assert said.endswith(
        "splits.overlap: drop, which keeps them in test, else in select, and leaves search 9, select 22, test 19"
    )
    assert "\n" not in said


def test_the_remedy_keeps_an_example_where_it_matters_most(overlapping: dict[str, str]) -> None:
    splits = split(overlapping, overlap="drop")
    assert sizes(splits) == [9, 22, 19]
    assert pairs_in_common(splits) == 0
    assert [example.id for example in splits.test] == [f"e{n}" for n in (*range(9, 18), *range(50, 60))]
    assert splits.notes == (
        f"6 examples of {overlapping['select']} that are in test too were dropped (splits.overlap: drop)",
        f"9 examples of {overlapping['search']} that are in test too were dropped (splits.overlap: drop)",
        f"2 examples of {overlapping['search']} that are in select too were dropped (splits.overlap: drop)",
    )


@pytest.mark.parametrize(
    ("own", "shared"),
    [
        ({"test": range(60, 90)}, range(70)),
        ({"select": range(60, 90)}, range(100)),
        ({"search": range(50, 90)}, range(70)),
    ],
)
@pytest.mark.parametrize("seed", range(4))
def test_a_pool_of_two_splits_is_freed_before_it_is_dealt(
    tmp_path: Path, own: dict[str, range], shared: range, seed: int
) -> None:
    named = files(tmp_path, **{name: rows(*numbers) for name, numbers in own.items()}, pool=rows(*shared))
    pool = named.pop("pool")
    splits = split(pool, seed, overlap="drop", **named)
    assert pairs_in_common(splits) == 0
    asked = {prompt_key(example) for name in SPLITS for example in splits.of(name)}
    assert len(asked) >= len({*shared, *next(iter(own.values()))}) - 1, "nothing is lost from all splits"


def test_counts_are_filled_where_enough_is_left(tmp_path: Path) -> None:
    named = files(tmp_path, test=rows(*range(40, 60)), pool=rows(*range(60)))
    splits = split(named["pool"], test=named["test"], search=30, overlap="drop")
    assert sizes(splits) == [30, 10, 20]


def test_where_drop_leaves_nothing_it_says_so(tmp_path: Path) -> None:
    same = files(tmp_path, search=rows(1, 2), select=rows(1, 2), test=rows(3))
    with pytest.raises(DataError, match=r"share 2 examples.*too few: splits.search: auto \(the default\) comes to"):
        split(same)
    with pytest.raises(ConfigError, match=r"0 are available in .*search.jsonl without the 2 that are in other splits"):
        split(same, overlap="drop")


def test_without_overlaps_drop_changes_nothing(tmp_path: Path) -> None:
    named = files(tmp_path, search=rows(*range(10)), select=rows(*range(10, 20)), test=rows(*range(20, 30)))
    assert split(named, overlap="drop") == split(named)
    one = files(tmp_path, pool=rows(*range(40)))["pool"]
    assert split(one, overlap="drop") == split(one)


def test_what_was_dropped_is_told_by_check_journal_and_summary(playground: Playground, tmp_path: Path) -> None:
    given = examples(60)
    parts = {"search": given[:20], "select": given[16:36], "test": given[34:]}
    data = {name: str(write_lines(tmp_path / f"{name}.jsonl", part)) for name, part in parts.items()}
    objectives = [{"name": "words", "type": "multiple_choice", "data": data}]
    config = tmp_path / "config.yaml"
    config.write_text(json.dumps(playground.config(objectives=objectives, splits={"overlap": "drop"})))
    checked = json.loads(run_cli("check", config, "--json").out)
    assert checked["examples"] == {"words": {"search": 16, "select": 18, "test": 26}}
    done = run_cli("search", config, "--run-dir", tmp_path / "run")
    assert done.code == 0, done.err
    note = f"4 examples of {data['search']} that are in select too were dropped (splits.overlap: drop)"
    for notes in (checked["notes"], summary_of(tmp_path / "run")["notes"], journal(tmp_path / "run")[0]["notes"]):
        assert note in notes
