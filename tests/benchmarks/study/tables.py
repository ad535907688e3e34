"""A study's table in markdown, and its place in a page; the text around it is written by hand."""

from collections.abc import Callable, Mapping, Sequence

from study.figures import BySeed, Mean, Row, ancestors, rank, rank_correlation, row, wilson
from study.record import Record

Found = Mapping[str, BySeed]  # by variant, the reference first
BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"


def filled(page: str, table: str, begin: str = BEGIN) -> str:
    """The page with the table between its markers; `begin`: the first one, of a page with several tables."""
    before, _, rest = page.partition(begin)
    _, end, after = rest.partition(END)
    assert end, f"the page has no {begin} and {END}"
    return f"{before}{begin}\n\n{table}\n\n{END}{after}"


def rows(found: Found) -> list[Row]:
    reference = next(iter(found.values()))
    return [row(name, records, reference) for name, records in found.items()]


def variants(found: Found) -> str:
    """One row per variant, in per cent, with differences from the first."""
    head = [
        "variant",
        "delivered, test",
        "difference from first row",
        "best finalist, test",
        "difference from first row",
        "baseline delivered",
        "examples scored",
    ]
    lines = [
        [
            each.variant,
            interval(each.test),
            "" if each.difference is None else interval(each.difference, "+"),
            interval(each.finalist),
            "" if each.finalist_difference is None else interval(each.finalist_difference, "+"),
            f"{each.baselines} of {each.test.n}",
            f"{each.share.mean:.0%}",
        ]
        for each in rows(found)
    ]
    return "\n\n".join([markdown(head, lines), seeds_and_examples(found)])


def weak(found: Found) -> str:
    """The variants, and their gain over the best expert of the full swarm, which the smaller swarms lack."""
    full = next(iter(found.values()))
    head = [
        "variant",
        "best of the ten experts, test",
        "delivered: gain over it",
        "best finalist: gain over it",
        "seeds with a gain",
    ]
    lines = []
    for name, records in found.items():
        pairs = [(records[seed], full[seed].best_expert) for seed in sorted(set(records) & set(full))]
        delivered = Mean.of([record.test - expert for record, expert in pairs])
        gains = [record.finalist - expert for record, expert in pairs]
        above = f"{sum(gain > 0 for gain in gains)} of {len(gains)}"
        best = interval(Mean.of([expert for _, expert in pairs]))
        lines.append([name, best, interval(delivered, "+"), interval(Mean.of(gains), "+"), above])
    return "\n\n".join([variants(found), markdown(head, lines)])


def ranks(found: Found) -> str:
    """The initial ranks of the particles that are best in the end, and those of a random particle."""
    (records,) = found.values()
    leaders = {seed: record.leader for seed, record in records.items()}
    winners = {seed: record.winner for seed, record in records.items() if record.winner is not None}
    particles = len(next(iter(records.values())).starts)
    head = ["", "best on search", "delivered, where a particle found it", "random particle"]
    lines = [
        _line("did not rank first at the start", records, (leaders, winners), lambda r, i: rank(r.starts, i) > 1),
        _line(
            "ranked in the lower half at the start",
            records,
            (leaders, winners),
            lambda r, i: 2 * rank(r.starts, i) > particles,
        ),
        _line("started as a single expert", records, (leaders, winners), lambda r, i: i < len(r.experts)),
        _line("has the best expert among its ancestors", records, (leaders, winners), descends_from_best),
        [
            "rank at the start",
            *(mean_rank(records, chosen) for chosen in (leaders, winners)),
            f"{chance_rank(records):.1f}",
        ],
    ]
    kept = interval(Mean.of([rank_correlation(record) for record in records.values()]), "+", scale=1, digits=2)
    text = f"Rank correlation of the {particles} particles' initial scores with their personal bests: {kept}."
    return "\n\n".join([markdown(head, lines), text, seeds_and_examples(found)])


def ensembles(found: Found) -> str:
    """One row per ensemble size, in per cent, with differences from the best on search and the best finalist."""
    (records,) = found.values()
    sizes = list(next(iter(records.values())).votes)
    head = ["members", "majority, test", "difference from best on search", "difference from best finalist"]
    lines = []
    for k in sizes:
        values = [record.votes[k] for record in records.values()]
        against = [record.votes[k] - record.votes["1"] for record in records.values()]
        finalists = [record.votes[k] - record.finalist for record in records.values()]
        ours = "" if k == "1" else interval(Mean.of(against), "+")
        lines.append([k, interval(Mean.of(values)), ours, interval(Mean.of(finalists), "+")])
    return "\n\n".join([markdown(head, lines), seeds_and_examples(found)])


TABLES: Mapping[str, Callable[[Found], str]] = {
    "diversity": variants,
    "rank": ranks,
    "ablations": variants,
    "dropping": variants,
    "weak": weak,
    "ensemble": ensembles,
    "token_swarms": weak,
}


def descends_from_best(record: Record, i: int) -> bool:
    names = list(record.experts)
    best = names.index(record.ranked_experts()[0])
    return best in ancestors(len(names), len(record.starts), record.seed)[i]


def mean_rank(records: BySeed, chosen: Mapping[int, int]) -> str:
    if not chosen:
        return "none"
    return interval(Mean.of([rank(records[seed].starts, i) for seed, i in chosen.items()]), scale=1)


def chance_rank(records: BySeed) -> float:
    return Mean.of([rank(r.starts, i) for r in records.values() for i in range(len(r.starts))]).mean


def _line(
    what: str, records: BySeed, columns: Sequence[Mapping[int, int]], holds: Callable[[Record, int], bool]
) -> list[str]:
    everyone = [holds(record, i) for record in records.values() for i in range(len(record.starts))]
    cells = [share([holds(records[seed], i) for seed, i in chosen.items()]) for chosen in columns]
    return [what, *cells, f"{sum(everyone) / len(everyone):.0%}"]


def share(hits: Sequence[bool]) -> str:
    if not hits:
        return "none"
    low, high = wilson(sum(hits), len(hits))
    return f"{sum(hits)} of {len(hits)} ({low:.0%} to {high:.0%})"


def interval(mean: Mean, sign: str = "", scale: float = 100, digits: int = 1) -> str:
    numbers = [f"{scale * value:{sign}.{digits}f}" for value in (mean.mean, mean.low, mean.high)]
    return f"{numbers[0]} ({numbers[1]} to {numbers[2]})" if mean.n > 1 else numbers[0]


def seeds_and_examples(found: Found) -> str:
    """The number of seeds, and the example evaluations that shares refer to."""
    counts = [len(set(records) & set(next(iter(found.values())))) for records in found.values()]
    seeds = f"{counts[0]}" if len(set(counts)) == 1 else f"{min(counts)} to {max(counts)}"
    reference = next(iter(found.values()))
    examples = round(Mean.of([record.examples for record in reference.values()]).mean)
    return f"{seeds} seeds. Example evaluations per search in the first row: {examples:,} on average."


def markdown(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *lines))
