"""Splitting: disjoint, seeded, the same share of every task, and no example that two splits see."""

import json
from collections import Counter
from pathlib import Path

import pytest
from pydantic import ValidationError

from swarm.core.errors import ConfigError, DataError
from swarm.core.examples import Example
from swarm.data.duplicates import content_key, prompt_key
from swarm.data.splits import SPLITS, Splits, SplitSettings, make_splits, near_duplicates

TASKS = ["sort"] * 6 + ["upper"] * 3 + ["swap"]


def rows(n: int, start: int = 0) -> list[dict[str, str]]:
    numbers = range(start, start + n)
    return [{"id": f"e{k}", "prompt": f"question {k}", "answer": f"{k}", "task": TASKS[k % 10]} for k in numbers]


def jsonl(path: Path, lines: list[dict[str, str]]) -> str:
    path.write_text("\n".join(json.dumps(line) for line in lines))
    return str(path)


def split(data, seed=0, **settings) -> Splits:
    return make_splits("maths", data, SplitSettings(**settings), seed, Path)


def ids(splits: Splits) -> dict[str, list[str]]:
    return {name: [example.id for example in splits.of(name)] for name in SPLITS}


@pytest.mark.parametrize(
    ("n", "settings", "sizes"),
    [
        (100, {}, [25, 25, 50]),
        (2000, {}, [200, 200, 1600]),
        (100, {"search": 10, "select": 20}, [10, 20, 70]),
        (100, {"search": 10, "test": 30}, [10, 25, 30]),
        (100, {"search": "rest", "test": 30}, [45, 25, 30]),
        (4, {}, [1, 1, 2]),
        (3, {"search": 1, "select": 1}, [1, 1, 1]),
    ],
)
def test_sizes_of_a_pooled_file(tmp_path, n, settings, sizes):
    splits = split(jsonl(tmp_path / "x.jsonl", rows(n)), **settings)
    assert [len(splits.of(name)) for name in SPLITS] == sizes
    assert len({example.id for name in SPLITS for example in splits.of(name)}) == sum(sizes)


def test_seeded_and_independent_of_the_order_of_lines(tmp_path):
    forward = jsonl(tmp_path / "x.jsonl", rows(100))
    backward = jsonl(tmp_path / "y.jsonl", rows(100)[::-1])
    assert ids(split(forward)) == ids(split(backward))
    assert ids(split(forward)) != ids(split(forward, seed=1))


@pytest.mark.parametrize("seed", range(5))
def test_every_split_has_its_share_of_every_task(tmp_path, seed):
    splits = split(jsonl(tmp_path / "x.jsonl", rows(200)), seed, search=33, select=50)
    for name in SPLITS:
        part = splits.of(name)
        found = Counter(example.task for example in part)
        assert all(abs(found[task] - len(part) * TASKS.count(task) / 10) <= 1 for task in TASKS)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("own_file", [False, True])
def test_every_prefix_of_search_has_its_share_of_every_task(tmp_path, seed, own_file):
    """A race may stop after any prefix."""
    lines = jsonl(tmp_path / "x.jsonl", rows(120 if own_file else 300))
    rest = {name: jsonl(tmp_path / f"{name}.jsonl", rows(9, start=s)) for name, s in (("select", 500), ("test", 600))}
    part = (split({"search": lines, **rest}, seed) if own_file else split(lines, seed, search=120)).search
    assert len(part) == 120
    sizes = Counter(example.task for example in part)
    for k in range(1, len(part) + 1):
        found = Counter(example.task for example in part[:k])
        assert all(abs(found[task] - k * size / len(part)) <= 1 for task, size in sizes.items())


def test_the_order_of_a_search_file_is_the_seeds(tmp_path):
    """By content and seed, whatever the order of lines; select and test keep the order of their own files."""
    files = {
        name: jsonl(tmp_path / f"{name}.jsonl", rows(30, start=s)) for name, s in zip(SPLITS, (0, 50, 90), strict=True)
    }
    backward = {**files, "search": jsonl(tmp_path / "backward.jsonl", rows(30)[::-1])}
    assert split(files).search == split(backward).search
    assert split(files).search != split(files, seed=1).search
    assert sorted(example.id for example in split(files).search) == sorted(f"e{k}" for k in range(30))
    assert [example.id for example in split(files).test] == [f"e{k}" for k in range(90, 120)]


def test_exact_duplicates_are_dropped_and_told(tmp_path):
    repeats = [{"id": f"r{k}", "prompt": f" question  {k} ", "answer": f"{k}"} for k in range(8)]
    splits = split(jsonl(tmp_path / "x.jsonl", rows(40) + repeats))
    assert sum(len(splits.of(name)) for name in SPLITS) == 40
    assert splits.notes[0] == f"8 exact duplicates dropped from {tmp_path / 'x.jsonl'}"


def test_keys_ignore_whitespace_and_the_order_of_choices_only():
    one = Example("1", "swap  aB", "A", {"A": "x", "B": "y"})
    assert content_key(one) == content_key(Example("2", "swap aB\n", "B", {"A": "y", "B": "x"}))
    assert prompt_key(one) == prompt_key(Example("2", "swap aB", "B", {"A": "x", "B": "y"}))
    assert content_key(one) != content_key(Example("2", "swap aB", "B", {"A": "x", "B": "y"}))
    assert prompt_key(one) != prompt_key(Example("2", "swap Ab", "A", {"A": "x", "B": "y"}))


def dev_test(path: Path, dev: list[dict[str, str]], test: list[dict[str, str]]) -> str:
    path.write_text(json.dumps({"dev": dev, "test": test}))
    return str(path)


@pytest.mark.parametrize(
    ("settings", "sizes"),
    [
        ({}, [11, 10, 30]),
        ({"search": 5}, [5, 16, 30]),
        ({"search": 5, "select": 6, "test": 7}, [5, 6, 7]),
        ({"select": "rest"}, [11, 10, 30]),
    ],
)
def test_dev_feeds_search_and_select_and_test_feeds_test(tmp_path, settings, sizes):
    splits = split(dev_test(tmp_path / "x.json", rows(21), rows(30, start=50)), **settings)
    assert [len(splits.of(name)) for name in SPLITS] == sizes
    assert all(int(example.answer) >= 50 for example in splits.test)


def test_dev_examples_that_are_in_test_are_dropped_from_dev(tmp_path):
    splits = split(dev_test(tmp_path / "x.json", rows(20), rows(30, start=15)))
    assert [len(splits.of(name)) for name in SPLITS] == [8, 7, 30]
    assert splits.notes[0].startswith("5 examples of dev that are in test too")


def three_files(folder: Path) -> dict[str, str]:
    return {name: jsonl(folder / f"{name}.jsonl", rows(10, 10 * k)) for k, name in enumerate(SPLITS)}


def test_a_file_for_each_split_is_used_as_it_is(tmp_path):
    files = three_files(tmp_path)
    expected = {name: [f"e{10 * k + n}" for n in range(10)] for k, name in enumerate(SPLITS)}
    found = ids(split(files))
    assert found == ids(split(None, **files))
    assert found | {"search": sorted(found["search"])} == expected, "search in an order of our own"
    assert len(split(files, search=4).search) == 4


def test_a_file_for_test_and_a_pool_for_the_others(tmp_path):
    pool = jsonl(tmp_path / "x.jsonl", rows(30, start=100))
    splits = split(pool, test=three_files(tmp_path)["test"], search=10)
    assert [len(splits.of(name)) for name in SPLITS] == [10, 20, 10]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"search": 101}, "splits.search: 101 comes to 101 examples, 100 are available in"),
        (
            {"search": 60, "select": 60},
            "splits.select: 60 comes to 60 examples, 40 are available in .* after search 60",
        ),
        ({"search": 50, "select": 50}, "splits.test: rest \\(the default\\) comes to 0 examples"),
        ({"search": 90}, "splits.select: auto \\(the default\\) comes to 25 examples, 10 are available"),
        ({"search": "rest"}, "splits.search: rest, as is splits.test"),
    ],
)
def test_impossible_counts(tmp_path, settings, message):
    with pytest.raises(ConfigError, match=message):
        split(jsonl(tmp_path / "x.jsonl", rows(100)), **settings)


def test_too_few_examples(tmp_path):
    with pytest.raises(ConfigError, match=r"splits.search: auto \(the default\) comes to 0 examples"):
        split(jsonl(tmp_path / "x.jsonl", rows(3)))
    with pytest.raises(ConfigError, match=r"splits.select"):
        split(dev_test(tmp_path / "x.json", rows(1), rows(3, start=50)))
    with pytest.raises(ConfigError, match=r"splits.select: auto \(the default\) comes to 0 examples"):
        split(dev_test(tmp_path / "x.json", rows(10), rows(3, start=50)), search=10)


def test_sources_that_make_no_sense(tmp_path):
    files = three_files(tmp_path)
    with pytest.raises(ConfigError, match=r"objectives.maths.data: none for select, test"):
        split({"search": files["search"]})
    with pytest.raises(ConfigError, match=r"objectives.maths.data: none for search, select, test"):
        split(None)
    with pytest.raises(ConfigError, match="'dev' is not a split"):
        split({"dev": files["search"]})
    with pytest.raises(ConfigError, match=r"splits.test: .* remove one"):
        split(files, test=files["test"])
    with pytest.raises(ConfigError, match="is not used"):
        split(files["search"], **files)
    with pytest.raises(DataError, match="holds both dev and test"):
        split(files | {"test": dev_test(tmp_path / "x.json", rows(10), rows(3, start=50))})


@pytest.mark.parametrize("value", [0, -1, 2.5, True, "", None])
def test_settings_refuse_what_is_no_count_and_no_name(value):
    with pytest.raises(ValidationError, match="must be a count of at least 1, auto, rest or a file"):
        SplitSettings(search=value)


LONG = "the quick brown fox jumps over the lazy dog while a small cat sleeps on the warm roof of the old barn"


def example(name: str, prompt: str) -> Example:
    return Example(name, prompt, "a")


def test_near_duplicates_are_found_between_splits():
    splits = Splits(
        (example("1", LONG), example("2", "short text")),
        (example("3", "something else that nobody else says here at all"), example("4", LONG.upper() + "!")),
        (example("5", "short  text"), example("6", "short text too")),
    )
    found = [(pair.first, pair.first_split, pair.second, pair.second_split) for pair in near_duplicates(splits)]
    assert found == [("1", "search", "4", "select"), ("2", "search", "5", "test")]
    similarities = [pair.similarity for pair in near_duplicates(splits)]
    assert similarities == [pytest.approx(20 / 21), 1.0]  # 20 shingles in common, one more with "!"


def test_fillings_of_a_template_are_not_near_duplicates():
    filled = [example(str(k), f"{LONG} {k} and {3 * k}") for k in range(120)]
    splits = Splits(tuple(filled[:40]), tuple(filled[40:80]), (*filled[80:], example("again", filled[0].prompt + ".")))
    assert [(pair.first, pair.second) for pair in near_duplicates(splits)] == []
    exact = Splits(splits.search, splits.select, (*filled[80:], example("again", filled[0].prompt)))
    assert [(pair.first, pair.second) for pair in near_duplicates(exact)] == [("0", "again")]


def test_near_duplicates_are_noted(tmp_path):
    files = three_files(tmp_path)
    long = {"prompt": LONG, "answer": "a"}
    files["search"] = jsonl(tmp_path / "a.jsonl", [long])
    files["test"] = jsonl(tmp_path / "b.jsonl", [long | {"prompt": LONG + "?"}])
    assert split(files).notes == ("1 near-duplicates between search and test, e.g. 1 and 1 (similarity 0.95)",)


def test_only_tasks_are_taken_once_all_examples_are_dealt(tmp_path):
    """So objectives over one file agree on who is in which split."""
    path = jsonl(tmp_path / "x.jsonl", rows(100))
    whole = split(path, search=30, select=30)
    part = make_splits("maths", path, SplitSettings(search=30, select=30), 0, Path, only_tasks=("sort", "swap"))
    for name in SPLITS:
        assert part.of(name) == tuple(e for e in whole.of(name) if e.task in ("sort", "swap"))
    with pytest.raises(ConfigError, match=r"only_tasks: 'sorted' has no example.*'sort', 'swap', 'upper'"):
        make_splits("maths", path, SplitSettings(), 0, Path, only_tasks=("sorted",))
