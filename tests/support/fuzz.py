"""Looks for files that a reader neither reads nor refuses: `python tests/support/fuzz.py READER --minutes 10`.

Prints each failure once, with the place in swarm/ where it was raised and the file that raised it. The minutes are of
processor time: a busy machine takes longer, and tries as many cases.
"""

import argparse
import logging
import os
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from pathlib import Path

os.environ |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
sys.path[:1] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]  # tests/support has a tokenizers.py

from hypothesis import HealthCheck, Phase, given, seed, settings  # noqa: E402

from support.fuzz_files import READERS, attempt, make_sources  # noqa: E402

SLOW = 10.0  # seconds of processor time after which a case counts as a failure, too
BATCH = 500  # cases of one seed


def place_of(error: BaseException) -> str:
    """The kind of an error and the innermost place of ours that it passed."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/swarm/" in frame.filename]
    where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {where} (in {Path(last.filename).name}:{last.lineno})"


def busy_seconds() -> float:
    """Processor time of this process and of those it waited for."""
    return sum(os.times()[:4])


def fuzz(name: str, minutes: float, first_seed: int) -> tuple[int, Counter[str]]:
    """How many cases were tried, and how often each failure was seen."""
    reader, tried, found = READERS[name], 0, Counter[str]()
    ends = busy_seconds() + 60 * minutes
    with tempfile.TemporaryDirectory() as folder:
        sources = make_sources(Path(folder) / "sources")
        place = Path(folder) / "case"
        place.mkdir()

        def one(case: bytes) -> None:
            nonlocal tried
            if busy_seconds() > ends:
                return
            tried += 1
            started, what = busy_seconds(), ""
            try:
                attempt(reader, sources, case, place)
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:
                what = f"{place_of(error)}: {' '.join(str(error).split())[:160]}"
                key = place_of(error)
            else:
                key = "slow"
            taken = busy_seconds() - started
            if what or taken > SLOW:
                found[key] += 1
                if found[key] == 1:
                    print(f"{name}: {what or f'{taken:.0f} s'}\n    {case[:1500]!r}", flush=True)

        batch = first_seed
        while busy_seconds() < ends:
            run = settings(
                max_examples=BATCH, database=None, deadline=None, phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )(given(reader.cases(sources))(one))  # fmt: skip
            seed(batch)(run)()
            batch += 1
    return tried, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("reader", choices=READERS)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    words = parser.parse_args()
    warnings.simplefilter("ignore")
    logging.disable(logging.ERROR)
    tried, found = fuzz(words.reader, words.minutes, words.seed)
    print(f"{words.reader}: {tried} cases, {len(found)} kinds of failure")
    for what, count in found.most_common():
        print(f"    {count} x {what}")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
