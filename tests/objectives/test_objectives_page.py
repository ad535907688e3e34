"""The page of objectives has one row for each of them."""

import re
from pathlib import Path

from swarm.objectives import OBJECTIVES

PAGE = Path(__file__).parents[2] / "docs" / "objectives.md"


def test_every_objective_has_one_complete_row() -> None:
    rows = [
        [cell.strip() for cell in row.split("|")] for row in re.findall(r"^\| (.+) \|$", PAGE.read_text(), re.MULTILINE)
    ]
    named = {row[0].strip("`"): row for row in rows if row[0].startswith("`") and row[0] != "`type`"}
    assert sorted(named) == sorted(OBJECTIVES)
    assert [name for name, row in named.items() if len(row) != 5 or not all(row)] == []
