"""Choices from a finished run's front: the commands dial and decisions, and what export and report have of them."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from swarm.cli.flags import PlainFlags
from swarm.cli.options import AsJson, By, RunDir
from swarm.cli.plain_table import Cell, show_table
from swarm.cli.screen import announce, print_json, print_lines
from swarm.core.errors import ConfigError

if TYPE_CHECKING:
    from swarm.run.choice import Criterion
    from swarm.run.choice_report import ReportedChoice

app = typer.Typer(cls=PlainFlags)
UNKNOWN = "–"


@dataclass(frozen=True)
class Wish:
    """What the options of a command ask for, as given."""

    candidate: str
    select: str = ""
    compare: str = ""
    groups: str = ""
    plural: bool = False
    most: int = 0
    context_map: bool = False
    by: str = ""

    def checked(self, of_recipe: bool = False) -> bool:
        """Whether there is a choice to be made. Raises ConfigError where options do not go together."""
        ways = {
            "--candidate": self.candidate,
            "--select": self.select,
            "--plural": self.plural,
            "--context-map": self.context_map,
        }
        given = [option for option, value in ways.items() if value]
        if len(given) > 1:
            raise ConfigError(f"{given[0]} and {given[1]} do not go together; give one of them")
        needs = {"--compare": self.compare, "--groups": self.groups}
        if (lost := [option for option, value in needs.items() if value]) and not self.select:
            raise ConfigError(f"{lost[0]} is for a rule of choice; add --select RULE, or drop it")
        if self.most and not self.plural:
            raise ConfigError("--most is the number of clusters of --plural; add --plural, or drop it")
        chooses = bool(given) and given != ["--candidate"]
        if self.by and not chooses:
            raise ConfigError("--by says who made a choice, and none is made here; add --select RULE, or drop it")
        if chooses and of_recipe:
            raise ConfigError(f"{given[0]} chooses from a run's front, and a recipe is one weighting; give the run")
        return chooses

    @property
    def criterion(self) -> "Criterion":
        """Raises ConfigError."""
        from swarm.preferences.reading import read_rule
        from swarm.run.choice import Criterion, checked_compare

        groups = tuple(group.strip() for group in self.groups.split(",") if group.strip())
        return Criterion(read_rule(self.select), checked_compare(self.compare), groups)


def exported_lines(wish: Wish, run: Path, dest: Path, form: str, overwrite: bool) -> list[str]:
    """Carry out what `swarm export` was asked to choose. Returns what there is to say."""
    from swarm.run import export_choice

    if wish.plural:
        clusters = export_choice.export_plural(run, dest, wish.most, form, overwrite, wish.by)
        return [*export_choice.plural_lines(clusters), str(dest)]
    if wish.context_map:
        rows = export_choice.export_context_map(run, dest, overwrite)
        return [f"{rows} preferences with their coefficients", str(dest)]
    chosen = export_choice.export_chosen(run, dest, wish.criterion, form, overwrite, wish.by)
    return [f"{wish.select} chooses {chosen.candidate.id}: {chosen.inputs}", str(dest)]


def show_chosen(wish: Wish, run: Path, as_json: bool) -> None:
    """`swarm report` with another choice: nothing but the report is written, and the choice recorded."""
    from swarm.run.choice_report import report_choice

    wish.checked()
    found = report_choice(run, wish.criterion, wish.by)
    if as_json:
        return print_json(found.content())
    print_lines([f"{wish.select} chooses {found.summary.best.id}: {found.chosen.inputs}"])
    show_table(["", "objective", "search", "select", "test"], _score_rows(found))
    print_lines([str(run / "report.html"), str(run / "report.md")])


@app.command()
def dial(
    run_dir: RunDir,
    prefer: Annotated[
        str, typer.Option(metavar="A=W,B=W", help="a weight for each objective, as in helpful=0.7,harmless=0.3")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DEST", help="the folder to write")],
    export_format: Annotated[str, typer.Option("--format", help="hf, adapter, mergekit or recipe")] = "hf",
    member: Annotated[
        bool, typer.Option("--member", help="the nearest member of the front, which was scored, and no point between")
    ] = False,
    by: By = "",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace what the folder holds")] = False,
) -> None:
    """Write the point of a finished run's front that a preference between its objectives comes to.

    Between members of the front coefficients are interpolated, and the card says that such a point was not scored.
    """
    announce()
    from swarm.preferences.reading import read_numbers
    from swarm.run.export_choice import export_preference

    preference = read_numbers("--prefer", prefer)
    blend = export_preference(run_dir, out, preference, member, export_format, overwrite, by)
    shares = ", ".join(f"{share:.3f} of {name}" for name, share in blend.shares.items())
    print_lines([f"{shares}{'' if len(blend.shares) == 1 else ': interpolated, and not scored itself'}", str(out)])


@app.command()
def decisions(run_dir: RunDir, as_json: AsJson = False) -> None:
    """List the choices from a run's front, and whether each comes to the same candidate today."""
    announce()
    from swarm.run.choice_report import listed_decisions

    found = listed_decisions(run_dir)
    if as_json:
        return print_json({"decisions": [each.content() for each in found]})
    if not found:
        return print_lines([f"no choices in {run_dir}; swarm export {run_dir} DEST --select RULE makes one"])
    rows: list[list[Cell]] = [
        [each.record.time, each.record.action, each.how, each.record.candidate, each.repeats, each.record.by, each.path]
        for each in found
    ]
    show_table(["time", "for", "chosen by", "candidate", "today", "by", "written"], rows)


def _score_rows(found: "ReportedChoice") -> list[list[Cell]]:
    rows: list[list[Cell]] = []
    for name, scores in found.compared.items():
        for objective in found.objectives:
            cells = [scores[split].get(objective) for split in ("search", "select", "test")]
            rows.append([name, objective, *(UNKNOWN if cell is None else f"{cell:.3f}" for cell in cells)])
    return rows
