"""Readers of strangers' files read them or refuse them in one line, whatever the files hold.

`python tests/support/fuzz.py READER --minutes 10` looks longer.
"""

from pathlib import Path

import pytest

pytest.importorskip("hypothesis", reason="of the dev extra")

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from support.fuzz_files import READERS, Sources, attempt, make_sources

CASES = 40  # for each reader: half a minute in all


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory, finished_run: Path) -> Sources:
    return make_sources(tmp_path_factory.mktemp("fuzzing"), finished_run)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", READERS)
@settings(
    max_examples=CASES, derandomize=True, database=None, deadline=None, phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
@given(data=st.data())
def test_a_file_is_read_or_refused_in_one_line(
    name: str, sources: Sources, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder: Path = tmp_path_factory.mktemp("case")
    attempt(READERS[name], sources, data.draw(READERS[name].cases(sources)), folder)
