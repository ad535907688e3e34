"""The evaluations of a journal as a table: one row per candidate and split."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from swarm.core.errors import RunError
from swarm.journal.records import EvaluationRecord

if TYPE_CHECKING:
    from pandas import DataFrame

Row = dict[str, object]


def rows_of(records: Iterable[EvaluationRecord], coordinates: Sequence[str]) -> list[Row]:
    """Rows in the journal's order.

    Columns: `id`, `kind` (evaluation, baseline, selection, test), `split`, `iteration`, `particle`, `status`, `tokens`,
    `seconds` (of the evaluation), `elapsed` (seconds since the run began, at its end), `score:OBJECTIVE`, and
    `coefficient:COORDINATE`.
    """
    return [
        {
            "id": record.id,
            "kind": record.kind,
            "split": record.split,
            "iteration": record.iteration,
            "particle": record.particle,
            "status": record.status,
            "tokens": record.tokens,
            "seconds": record.seconds,
            "elapsed": record.elapsed,
            **{f"score:{name}": score for name, score in record.scores.items()},
            **{f"coefficient:{name}": x for name, x in zip(coordinates, record.position, strict=True)},
        }
        for record in records
    ]


def to_frame(rows: Sequence[Row]) -> "DataFrame":
    """The rows as a pandas.DataFrame. Raises RunError where pandas is not installed."""
    try:
        import pandas
    except ImportError:
        raise RunError(
            'to_pandas needs pandas, which is not installed: pip install "swarm-experts[pandas]"; or use rows()'
        ) from None
    return pandas.DataFrame(rows)
