"""The commands that write weights without a search: export, compose, vector."""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from swarm.cli.flags import PlainFlags
from swarm.cli.options import By, Compare, Groups, Select
from swarm.cli.screen import announce, print_lines
from swarm.core.errors import ConfigError

if TYPE_CHECKING:
    from swarm.export import Exported

app = typer.Typer(cls=PlainFlags)

Format = Annotated[str, typer.Option("--format", help="hf, adapter, mergekit or recipe")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="replace what the folder holds")]
Rank = Annotated[
    int | None,
    typer.Option(help="with --format adapter: the largest rank; the nearest adapter of it, its error is told"),
]
Push = Annotated[
    str,
    typer.Option(
        "--push-to-hub", metavar="OWNER/NAME", help="send DEST to this repository of the hub; a new one is private"
    ),
]


@dataclass(frozen=True)
class WrittenForm:
    """The form in which weights are written, and where else they go, as given."""

    format: str
    rank: int | None
    repository: str
    overwrite: bool

    def check(self) -> None:
        """Raise ConfigError before anything is read, where that cannot be written or sent."""
        if self.repository:
            from swarm.export.hub import check_push

            check_push(self.repository, self.format)

    def check_plain(self) -> None:
        """Raise ConfigError for options that a choice from a front does not take."""
        given = {"--rank": self.rank is not None, "--push-to-hub": bool(self.repository)}
        if lost := next((option for option, value in given.items() if value), ""):
            raise ConfigError(
                f"{lost} does not go with a choice; make the choice first, then give it as --candidate ID"
            )

    def written(self, what: "Exported", dest: Path) -> list[str]:
        """Write, and send where asked. Returns what there is to say."""
        from swarm.export import export as write
        from swarm.export.adapter import at_rank

        if self.rank is not None:
            what = at_rank(what, self.rank, self.format)
        what = replace(what, repository=self.repository)
        lines = [what.reduced.loss.text] if what.reduced else []
        lines.append(str(write(what, dest, self.format, self.overwrite)))
        if self.repository:
            from swarm.export.hub import check_private, upload

            check_private(what, dest)
            lines.append(upload(dest, self.repository, self.overwrite))
        return lines


@app.command()
def export(
    run_dir: Annotated[
        Path, typer.Argument(metavar="RUN_DIR", help="the directory of a run, or a recipe.json or its folder")
    ],
    dest: Annotated[Path, typer.Argument(metavar="DEST", help="the folder to write")],
    export_format: Format = "hf",
    candidate: Annotated[str, typer.Option(help="a candidate's id, such as 17-3; default: the best")] = "",
    select: Select = "",
    compare: Compare = "",
    groups: Groups = "",
    plural: Annotated[bool, typer.Option("--plural", help="a candidate for each cluster of the data's groups")] = False,
    most: Annotated[int, typer.Option(min=0, help="with --plural: clusters at most; 0: any number")] = 0,
    context_map: Annotated[
        bool, typer.Option("--context-map", help="a table from preferences to coefficients instead of weights")
    ] = False,
    by: By = "",
    rank: Rank = None,
    push_to_hub: Push = "",
    overwrite: Overwrite = False,
) -> None:
    """Write the best, or another candidate, as a whole model, an adapter, a mergekit config or a recipe.

    Of a finished run with several objectives, --select, --plural and --context-map choose anew, without an evaluation.
    """
    announce()
    from swarm.cli.choosing import Wish, exported_lines
    from swarm.export import read_recipe
    from swarm.run.export_candidate import exported_candidate

    form = WrittenForm(export_format, rank, push_to_hub, overwrite)
    form.check()
    wish = Wish(candidate, select, compare, groups, plural, most, context_map, by)
    of_recipe = os.path.isfile(run_dir) or os.path.isfile(run_dir / "recipe.json")
    if wish.checked(of_recipe):
        form.check_plain()
        return print_lines(exported_lines(wish, run_dir, dest, export_format, overwrite))
    what = read_recipe(run_dir) if of_recipe else exported_candidate(run_dir, candidate)
    print_lines(form.written(what, dest))


@app.command()
def compose(
    base: Annotated[str, typer.Option(help="a local folder, a hub id, or zoo:NAME")],
    expert: Annotated[
        list[str], typer.Option(metavar="PATH=COEFFICIENT", help="an expert and its coefficient; repeated for each")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DEST", help="the folder to write")],
    export_format: Format = "hf",
    dtype: Annotated[
        str, typer.Option(help="float32, bfloat16 or float16: of the weights that are written")
    ] = "bfloat16",
    algebra: Annotated[
        str, typer.Option(help="delta: updates are summed; factors: LoRA's A and B, each by itself")
    ] = "delta",
    prepare: Annotated[
        str,
        typer.Option(
            metavar="TYPE:KEY=VALUE,...", help="prepare all experts, as ties:density=0.5 (docs/preparations.md)"
        ),
    ] = "",
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="A.B=V", help="set a value of prepare or of one expert: experts.0.svd=16; may be repeated"
        ),
    ] = None,
    rank: Rank = None,
    push_to_hub: Push = "",
    overwrite: Overwrite = False,
) -> None:
    """Write a composed expert of known coefficients: the base, plus each coefficient times its expert's update."""
    announce()
    from swarm.run.compose import composed

    form = WrittenForm(export_format, rank, push_to_hub, overwrite)
    form.check()
    print_lines(form.written(composed(base, expert, dtype, algebra, prepare, overrides or ()), out))


@app.command()
def vector(
    base: Annotated[Path, typer.Argument(metavar="BASE", help="the unaligned checkpoint or adapter")],
    aligned: Annotated[Path, typer.Argument(metavar="ALIGNED", help="the aligned checkpoint or adapter")],
    out: Annotated[Path, typer.Option("--out", "-o", help="the .safetensors file to write")],
) -> None:
    """Make an alignment vector: the aligned weights minus those of the base."""
    announce()
    from swarm.experts.alignment_vectors import make_vector

    make_vector(base, aligned, out)
    print_lines([str(out)])
