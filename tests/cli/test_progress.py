"""The display of a run: every phase with its count and time left, one line of each that has ended, and no more."""

import io
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from support.playground import EXPERTS, Outcome, Playground, run_cli
from swarm.cli.phase_progress import PhaseProgress, span
from swarm.cli.progress import Progress
from swarm.cli.shorten import shorten
from swarm.cli.wrapping import packed, wrapped
from swarm.core.candidates import Candidate, Evaluation
from swarm.journal.archive import Archive
from swarm.run.listener import tell_scores_so_far
from swarm.search.baselines import Baselines
from swarm.search.status import Status

LATE = Status(
    best=0.8125, best_id="1017-103", mean=0.7012, iteration=1017, evaluations=101_703, most=250_000,
    evaluations_per_minute=2816.4, tokens=3_100_000_000, tokens_per_second=1_234_567.8, workers=128, busy=0.973,
    failures=112, seconds_left=37_262.0,
)  # fmt: skip
SHOWN = (
    "searching 101703 of 250000 evaluations, at most about 10 h 21 min left", "best on search", "0.812 (1017-103)",
    "0.701", "1017", "2816 evaluations / min", "1234568 tokens / s", "128, scoring 97% of the time", "112",
    "base 0.100, best expert (maths) 0.312, uniform weights 0.400",
)  # fmt: skip
STANDING = {"base": 0.1, "best expert (maths)": 0.3125, "uniform weights": 0.4}
EVIL = "\x1b[2Jred\n[red]x[/] :heart: \u202e"
SAFE = r"\x1b[2Jred\n[red]x[/] :heart: \u202e"


class Screen:
    """A display on a clock that the test moves. folder: of the run."""

    def __init__(self, terminal: bool, width: int = 80, folder: Path | None = None) -> None:
        self.now, self.interrupted, self._file = 0.0, False, io.StringIO()
        console = Console(file=self._file, force_terminal=terminal, width=width)
        self.progress = Progress(console, folder, lambda: self.now, lambda: self.interrupted)

    def wait(self) -> None:
        """Until a live display has been drawn, which happens four times a second."""
        time.sleep(0.3)

    @property
    def lines(self) -> list[str]:
        plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", self._file.getvalue())
        return plain.replace("\r", "\n").splitlines()


def scored(status: str = "ok", error: str = "") -> Evaluation:
    return Evaluation(Candidate("0-0", (0.0,)), status, {}, {}, error=error)  # type: ignore[arg-type]


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("terminal", [True, False])
def test_all_of_a_status_is_shown(width: int, terminal: bool) -> None:
    screen = Screen(terminal, width, Path("/runs") / ("long-" * 30 + "end"))
    with screen.progress as progress:
        progress.phase("searching")
        progress.scores_so_far("search", STANDING)
        screen.now = 6.0
        progress.evaluated(scored(), LATE)
        screen.wait()
    assert all(any(each in line for line in screen.lines) for each in SHOWN), screen.lines
    if terminal:
        assert max(cell_len(line) for line in screen.lines if "done in" not in line) <= width
        assert any(re.fullmatch("run directory   /runs/long-long-.*….*-long-end", line) for line in screen.lines)
        assert any("time            6 s so far" in line for line in screen.lines)


def test_each_phase_counts_and_says_how_long_it_will_take() -> None:
    screen = Screen(terminal=False)
    with screen.progress as progress:
        progress.phase("testing")
        progress.steps(2, 12)  # of an earlier session
        for done in range(3, 13):
            screen.now += 4.0
            progress.steps(done, 12)
        progress.phase("exporting")
        progress.phase("verifying the export")
        screen.now += 7.0
    assert screen.lines == [
        "testing",
        "testing 4 of 12, about 32 s left",
        "testing 6 of 12, about 24 s left",
        "testing 8 of 12, about 16 s left",
        "testing 10 of 12, about 8 s left",
        "testing 12 of 12, done in 40 s",
        "exporting",
        "verifying the export",
        "verifying the export, done in 7 s",
    ]


def test_a_long_run_does_not_fill_its_log() -> None:
    screen = Screen(terminal=False)
    with screen.progress as progress:
        progress.phase("searching")
        for i in range(36_000):
            screen.now = float(i)
            progress.evaluated(scored(), replace(LATE, evaluations=i, most=36_000, seconds_left=36_000.0 - i))
    assert 400 < len(screen.lines) < 700


def test_the_newest_of_a_phase_stays_and_nothing_stale() -> None:
    screen = Screen(terminal=True)
    with screen.progress as progress:
        progress.phase("searching")
        progress.evaluated(scored(), replace(LATE, evaluations=249_999))
        progress.evaluated(scored(), replace(LATE, evaluations=250_000))
        screen.now = 65.0
        progress.phase("selecting")
    last = [line for line in screen.lines if line.strip()][-3:]
    ended = "searching 250000 of 250000 evaluations, done in 1 min 05 s; best on search 0.812 (1017-103)"
    assert " ".join(map(str.strip, last[:2])) == ended
    assert last[2] == "selecting"


def test_an_interrupted_phase_is_not_called_done() -> None:
    screen = Screen(terminal=False)
    with screen.progress as progress:
        progress.phase("testing")
        progress.steps(5, 12)
        screen.now = 2.0
        progress.__exit__(KeyboardInterrupt)
    assert screen.lines[-1] == "testing 5 of 12, stopped after 2 s"


def test_an_interruption_is_seen_at_once_and_leaves_room_for_what_the_terminal_writes() -> None:
    screen = Screen(terminal=True, width=40)
    with screen.progress as progress:
        progress.phase("searching")
        progress.evaluated(scored(), LATE)
        screen.wait()
        drawn = len(screen.lines)
        screen.interrupted = True
        screen.wait()
        progress.__exit__(KeyboardInterrupt)
    stopping = next(line for line in screen.lines[drawn:] if line.startswith("searching"))
    assert stopping.endswith("stopping")
    assert max(cell_len(line) for line in screen.lines[:drawn]) <= 38, "a ^C fits beside it"


@pytest.mark.parametrize("width", [60, 80])
def test_a_name_is_cut_and_never_a_number(width: int) -> None:
    screen = Screen(terminal=True, width=width)
    long = f"best expert so far (next-{'long-' * 20}lora)"
    with screen.progress as progress:
        progress.phase("testing")
        progress.scores_so_far("test", {"base": 0.138, long: 0.322, "uniform weights": 0.622, "selected (5-2)": 0.634})
        screen.wait()
    shown = [line[16:] for line in screen.lines if re.search(r"0\.\d{3}", line)]
    text = " ".join(dict.fromkeys(shown))
    assert re.fullmatch(
        r"base 0.138, best expert .*….*-lora\) 0.322, uniform weights 0.622, selected \(5-2\) 0.634", text
    )


def test_a_note_breaks_between_words() -> None:
    screen = Screen(terminal=True, width=40)
    with screen.progress as progress:
        progress.note(" ".join(["selection"] * 9))
    lines = [line for line in screen.lines if "selection" in line]
    assert lines == ["note: selection selection selection", *["      selection selection selection"] * 2]


def test_what_is_not_known_yet_is_a_dash() -> None:
    screen = Screen(terminal=False)
    unknown = replace(LATE, best=None, mean=None, busy=None, evaluations_per_minute=None, seconds_left=None)
    with screen.progress as progress:
        progress.phase("searching")
        screen.now = 6.0
        progress.evaluated(scored("failed", "too warm"), replace(unknown, tokens_per_second=None))
        screen.now = 12.0
        progress.evaluated(scored(), replace(unknown, tokens_per_second=None))
    assert "note: candidate 0-0 failed: too warm" in screen.lines
    assert any("best on search -; mean - of the particles" in line for line in screen.lines)


@pytest.mark.parametrize("terminal", [True, False])
def test_texts_of_others_do_not_act_on_the_screen(terminal: bool) -> None:
    screen = Screen(terminal, 200, Path("/runs") / EVIL)
    with screen.progress as progress:
        progress.phase("testing")
        progress.scores_so_far("test", {f"best expert ({EVIL})": 0.5})
        progress.note(EVIL)
        screen.now = 6.0
        progress.steps(1, 12)
        progress.evaluated(scored("failed", EVIL), replace(LATE, best_id=EVIL))
        screen.wait()
    text = "\n".join(screen.lines)
    assert f"note: {SAFE}" in text
    assert f"candidate 0-0 failed: {SAFE}" in text
    assert "\u202e" not in text
    if terminal:
        assert f"best expert ({SAFE}) 0.500" in text
        assert f"/runs/{SAFE}" in text


def test_durations_in_words() -> None:
    assert [span(s) for s in (-1, 0.4, 59.4, 59.6, 3599.4, 3600, 37_262)] == [
        "0 s", "0 s", "59 s", "1 min 00 s", "59 min 59 s", "1 h 00 min", "10 h 21 min"
    ]  # fmt: skip


def test_the_time_left_counts_down_and_never_below_zero() -> None:
    pace = PhaseProgress("testing", 0.0)
    pace.step(0.0, 0, 4)
    assert pace.now(1.0) == "testing 0 of 4"
    pace.step(10.0, 1, 4)
    assert [pace.now(now) for now in (10.0, 25.0, 99.0)] == [
        f"testing 1 of 4, about {left} s left" for left in (30, 15, 0)
    ]


@pytest.mark.parametrize("columns", range(0, 14))
def test_a_shortened_name_fits_and_keeps_both_ends(columns: int) -> None:
    for text in ("beginning-and-end", "模型-名-模型-名-模型"):
        short = shorten(text, columns)
        assert cell_len(short) <= columns
        if columns > 7:
            assert short[:2] == text[:2]
            assert short[-1] == text[-1]
    assert shorten("short", 5) == "short"


def test_lines_break_between_words_and_items_alone() -> None:
    text = "base         /a/path/that/is/longer/than/a/line and 模型 模型 many-words"
    assert wrapped(text, 36, 13) == [
        "base         /a/path/that/is/longer/than/a/line",
        "             and 模型 模型",
        "             many-words",
    ]
    assert wrapped("             (a basis)", 36, 13) == ["             (a basis)"]
    assert wrapped("a narrow place", 8, 13) == ["a narrow", "place"], "with no room for the indent"
    assert wrapped("", 8) == [""]
    assert packed(["first 1.00", "second 2.00", "a-name-too-long 3.00"], 14) == [
        "first 1.00,", "second 2.00,", "a-name-…g 3.00"
    ]  # fmt: skip
    assert packed([], 14) == []


@pytest.fixture(scope="module")
def piped(playground: Playground, tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, Path]:
    run = tmp_path_factory.mktemp("piped") / "run"
    done = run_cli("search", playground.config_file, "--run-dir", run)
    assert done.code == 0, done.err
    return done, run


def test_a_run_names_every_phase_and_how_it_ended(piped: tuple[Outcome, Path]) -> None:
    done, run = piped
    lines = done.out.splitlines()
    phases = [re.match(r"[a-z ]*", line)[0].strip() for line in lines]  # type: ignore[index]
    wanted = ["starting workers", "searching", "scoring baselines", "selecting", "testing", "exporting"]
    wanted.append("verifying the export")
    assert [each for each in dict.fromkeys(phases) if each in wanted] == wanted
    for phase, count in (("searching", r"16 of 16 evaluations"), ("testing", "6 of 6"), ("exporting", r"\d+ of \d+")):
        assert re.search(rf"(?m)^{phase} {count}, done in \d+ s", done.out)
    assert re.fullmatch(r"finished in \d+ s", lines[-3])
    assert lines[-2:] == [f"result   {run}/best", "report   report.html, in the same folder as best"]
    assert done.out.count(str(run)) == 1


def test_a_finished_run_says_that_it_is_finished(piped: tuple[Outcome, Path], playground: Playground) -> None:
    _, run = piped
    again = run_cli("resume", run)
    assert "this run was finished before: nothing was left to do" in again.out
    assert re.search(r"(?m)^finished in \d+ s$", again.out)
    refused = run_cli("search", playground.config_file, "--run-dir", run)
    assert refused.code == 2
    assert "holds a run already, which is finished; swarm resume shows its result again" in refused.err
    assert refused.err.count(str(run)) == 1


def test_a_best_expert_is_called_so_only_once_all_are_scored(piped: tuple[Outcome, Path], tmp_path: Path) -> None:
    _, run = piped
    lines = (run / "journal.jsonl").read_text().splitlines(keepends=True)
    last = max(i for i, line in enumerate(lines) if '"expert:' in line and '"split": "test"' in line)
    whole = Archive(run / "journal.jsonl")
    (tmp_path / "journal.jsonl").write_text("".join(lines[:last]))
    experts = {f"expert:{name}": whole.of(f"expert:{name}", "test").candidate for name in EXPERTS}
    baselines = Baselines(Candidate("base", (0.0, 0.0, 0.0)), experts, {})
    for archive, words in ((Archive(tmp_path / "journal.jsonl"), "best expert so far ("), (whole, "best expert (")):
        screen = Screen(terminal=False)
        with screen.progress as progress:
            progress.phase("testing")
            screen.now = 6.0
            tell_scores_so_far(progress, archive, baselines, {"words": 1.0}, "test")
            progress.steps(1, 12)
        assert any(words in line for line in screen.lines), screen.lines
