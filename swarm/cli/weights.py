"""The commands that write weights without a search: export, compose, vector."""

import os
from pathlib import Path
from typing import Annotated

import typer

from swarm.cli.flags import PlainFlags
from swarm.cli.options import By, Compare, Groups, Select
from swarm.cli.screen import announce, print_lines

app = typer.Typer(cls=PlainFlags)

Format = Annotated[str, typer.Option("--format", help="hf, adapter, mergekit or recipe")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="replace what the folder holds")]


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
    overwrite: Overwrite = False,
) -> None:
    """Write the best, or another candidate, as a whole model, an adapter, a mergekit config or a recipe.

    Of a finished run with several objectives, --select, --plural and --context-map choose anew, without an evaluation.
    """
    announce()
    from swarm.cli.choosing import Wish, exported_lines
    from swarm.export import export as write
    from swarm.export import read_recipe
    from swarm.run.export_candidate import exported_candidate

    wish = Wish(candidate, select, compare, groups, plural, most, context_map, by)
    of_recipe = os.path.isfile(run_dir) or os.path.isfile(run_dir / "recipe.json")
    if wish.checked(of_recipe):
        return print_lines(exported_lines(wish, run_dir, dest, export_format, overwrite))
    what = read_recipe(run_dir) if of_recipe else exported_candidate(run_dir, candidate)
    print_lines([str(write(what, dest, export_format, overwrite))])


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
    overwrite: Overwrite = False,
) -> None:
    """Write a composed expert of known coefficients: the base, plus each coefficient times its expert's update."""
    announce()
    from swarm.export import export as write
    from swarm.run.compose import composed

    print_lines([str(write(composed(base, expert, dtype, algebra), out, export_format, overwrite))])


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
