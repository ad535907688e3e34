"""A study's table in markdown, and where it stands in a page: the words around it are written by hand."""

from collections.abc import Callable, Mapping, Sequence

from study.figures import BySeed, Mean, Row, ancestors, keeps_its_place, rank, row, wilson
from study.record import Record

Found = Mapping[str, BySeed]  # by variant, the reference first
BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"


def filled(page: str, table: str) -> str:
    """The page with the table between its marks."""
    before, _, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert end, f"the page holds no {BEGIN} and {END}"
    return f"{before}{BEGIN}\n\n{table}\n\n{END}{after}"


def rows(found: Found) -> list[Row]:
    reference = next(iter(found.values()))
    return [row(name, records, reference) for name, records in found.items()]


def variants(found: Found) -> str:
    """One line a variant, in per cent, against the first."""
    head = [
        "variant",
        "delivered, on test",
        "less the first's, by seed",
        "best finalist, on test",
        "less the first's, by seed",
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
    return "\n\n".join([markdown(head, lines), said_of_seeds(found)])


def weak(found: Found) -> str:
    """The variants, and each against the best expert of the full swarm, which the smaller ones have not got."""
    full = next(iter(found.values()))
    head = [
        "variant",
        "best of the ten experts, on test",
        "delivered less it",
        "best finalist less it",
        "seeds above it",
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
    """Where those stood at the start who were best in the end, beside what a particle drawn at random would give."""
    (records,) = found.values()
    leaders = {seed: record.leader for seed, record in records.items()}
    winners = {seed: record.winner for seed, record in records.items() if record.winner is not None}
    particles = len(next(iter(records.values())).starts)
    head = ["", "best on search", "delivered, where a particle found it", "a particle at random"]
    lines = [
        _line("did not start first", records, (leaders, winners), lambda r, i: rank(r.starts, i) > 1),
        _line("started in the lower half", records, (leaders, winners), lambda r, i: 2 * rank(r.starts, i) > particles),
        _line("started as an expert alone", records, (leaders, winners), lambda r, i: i < len(r.experts)),
        _line("has the best expert among its ancestors", records, (leaders, winners), descends_from_best),
        [
            "rank at the start",
            *(mean_rank(records, chosen) for chosen in (leaders, winners)),
            f"{chance_rank(records):.1f}",
        ],
    ]
    kept = interval(Mean.of([keeps_its_place(record) for record in records.values()]), "+", scale=1, digits=2)
    said = f"Rank correlation of the {particles} particles' scores at the start and of their personal bests: {kept}."
    return "\n\n".join([markdown(head, lines), said, said_of_seeds(found)])


def ensembles(found: Found) -> str:
    """One line a size of the ensemble, in per cent, against the best on search and against the best finalist."""
    (records,) = found.values()
    sizes = list(next(iter(records.values())).votes)
    head = ["members", "majority, on test", "less the best on search", "less the best finalist"]
    lines = []
    for k in sizes:
        values = [record.votes[k] for record in records.values()]
        against = [record.votes[k] - record.votes["1"] for record in records.values()]
        finalists = [record.votes[k] - record.finalist for record in records.values()]
        ours = "" if k == "1" else interval(Mean.of(against), "+")
        lines.append([k, interval(Mean.of(values)), ours, interval(Mean.of(finalists), "+")])
    return "\n\n".join([markdown(head, lines), said_of_seeds(found)])


TABLES: Mapping[str, Callable[[Found], str]] = {
    "diversity": variants,
    "rank": ranks,
    "ablations": variants,
    "dropping": variants,
    "weak": weak,
    "ensemble": ensembles,
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
    everybody = [holds(record, i) for record in records.values() for i in range(len(record.starts))]
    cells = [share([holds(records[seed], i) for seed, i in chosen.items()]) for chosen in columns]
    return [what, *cells, f"{sum(everybody) / len(everybody):.0%}"]


def share(hits: Sequence[bool]) -> str:
    if not hits:
        return "none"
    low, high = wilson(sum(hits), len(hits))
    return f"{sum(hits)} of {len(hits)} ({low:.0%} to {high:.0%})"


def interval(mean: Mean, sign: str = "", scale: float = 100, digits: int = 1) -> str:
    numbers = [f"{scale * value:{sign}.{digits}f}" for value in (mean.mean, mean.low, mean.high)]
    return f"{numbers[0]} ({numbers[1]} to {numbers[2]})" if mean.n > 1 else numbers[0]


def said_of_seeds(found: Found) -> str:
    """How many seeds; which examples the share is of."""
    counts = [len(set(records) & set(next(iter(found.values())))) for records in found.values()]
    seeds = f"{counts[0]}" if len(set(counts)) == 1 else f"{min(counts)} to {max(counts)}"
    reference = next(iter(found.values()))
    examples = round(Mean.of([record.examples for record in reference.values()]).mean)
    return f"{seeds} seeds. Example evaluations of a search, the first line's: {examples:,} on average."


def markdown(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *lines))
