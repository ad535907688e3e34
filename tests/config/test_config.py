"""The config: overrides, the complete and stable resolved form, the schema, and every config that is shipped."""

import json
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from support.playground import EXPERTS, Playground
from swarm.config.load import dump_config, load_config, parse_config
from swarm.config.references import resolve
from swarm.config.schema import json_schema
from swarm.core.errors import ConfigError
from swarm.engines import ENGINES
from swarm.objectives import OBJECTIVES
from swarm.optimizers import OPTIMIZERS

SHIPPED = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))


@pytest.mark.parametrize(
    ("override", "place", "value"),
    [
        ("seed=7", "seed", 7),
        ("optimizer.particles=10", "optimizer.particles", 10),
        ("optimizer.patience=null", "optimizer.patience", None),
        ("optimizer.minutes=2.5", "optimizer.minutes", 2.5),
        ("experts.1.trim=0.2", "experts.1.trim", 0.2),
        ("experts.2={path: violet, name: last}", "experts.2.path", "violet"),
        ("experts=[a, b]", "experts.1.path", "b"),
        ("objectives.0.name=letters", "objectives.0.name", "letters"),
        ("composition.groups=layers:2", "composition.groups", "layers:2"),
        ("selection.finalists=3", "selection.finalists", 3),
        ("splits={search: 5, select: 6}", "splits.select", 6),
        ("export.format=adapter", "export.format", "adapter"),
    ],
)
def test_set_puts_a_yaml_value_in_its_place(
    playground: Playground, tmp_path: Path, override: str, place: str, value: object
) -> None:
    content = playground.config(experts=[{"path": name} for name in EXPERTS])
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(content))
    found: object = load_config(tmp_path / "config.yaml", [override]).model_dump(mode="json")
    for step in place.split("."):
        found = found[int(step)] if isinstance(found, list) else found[step]  # type: ignore[index]
    assert found == value


def test_the_last_of_two_overrides_holds(playground: Playground) -> None:
    config = load_config(playground.config_file, ["optimizer={type: random, particles: 3}", "optimizer.particles=4"])
    assert config.optimizer.type == "random"
    assert config.model_dump()["optimizer"]["particles"] == 4


def test_the_resolved_config_states_every_value(playground: Playground) -> None:
    config = load_config(playground.config_file)
    assert_complete(config, yaml.safe_load(dump_config(config)))


def test_the_resolved_config_loads_back_to_the_same(playground: Playground, tmp_path: Path) -> None:
    config = resolve(load_config(playground.config_file), playground.folder)
    (tmp_path / "again.yaml").write_text(dump_config(config))
    assert resolve(load_config(tmp_path / "again.yaml"), tmp_path) == config


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_every_optimizer_is_stated_with_all_its_settings(playground: Playground, kind: str) -> None:
    config = parse_config(playground.config(optimizer={"type": kind}), "test")
    assert_complete(config, yaml.safe_load(dump_config(config)))
    assert parse_config(yaml.safe_load(dump_config(config)), "again") == config


def test_an_expert_may_be_its_path_alone(playground: Playground) -> None:
    short = parse_config(playground.config(experts=["a/red", {"path": "b/green", "trim": 0.5}]), "test")
    assert short == parse_config(playground.config(experts=[{"path": "a/red"}, {"path": "b/green", "trim": 0.5}]), "t")


def test_an_expert_without_a_name_is_called_like_its_folder_or_file(playground: Playground) -> None:
    content = playground.config(experts=[str(playground.expert("red")), {"path": "green", "name": "second"}])
    assert [expert.name for expert in resolve(parse_config(content, "test"), playground.folder).experts] == [
        "red",
        "second",
    ]


def test_a_section_without_a_type_is_of_the_usual_kind(playground: Playground) -> None:
    content = playground.config(optimizer={"particles": 3}, cluster={"workers": 2}, engine={}, composition={"high": 2})
    config = parse_config(content, "test")
    kinds = (config.optimizer.type, config.cluster.type, config.engine.type, config.composition.type)
    assert kinds == ("guided_pso", "ray", "transformers", "weights")


def test_the_schema_takes_what_the_program_takes(playground: Playground) -> None:
    validator = Draft202012Validator(json_schema())
    content = playground.config(experts=[str(playground.expert("red")), {"path": "green", "trim": 0.1}])
    content |= {"optimizer": {"particles": 3}, "engine": {}, "cluster": {}, "composition": {"groups": "modules"}}
    for good in (content, yaml.safe_load(dump_config(parse_config(content, "test")))):
        assert [error.message for error in validator.iter_errors(good)] == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"optimzer": {}},
        {"seed": -1},
        {"objectives": [{"name": "a", "data": "b"}]},
        {"experts": []},
        {"optimizer": {"type": "psoo"}},
        {"engine": {"dtype": "int3"}},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_the_schema_refuses_what_the_program_refuses(playground: Playground, wrong: dict[str, object]) -> None:
    assert list(Draft202012Validator(json_schema()).iter_errors(playground.config(**wrong)))


def test_the_schema_knows_every_kind() -> None:
    text = json.dumps(json_schema())
    assert all(f'"{kind}"' in text for kind in (*OPTIMIZERS, *OBJECTIVES, *ENGINES))


def test_a_quickstart_is_shipped() -> None:
    assert "quickstart" in [path.stem for path in SHIPPED]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_config_fits_program_and_schema(path: Path) -> None:
    assert load_config(path).experts
    errors = Draft202012Validator(json_schema()).iter_errors(yaml.safe_load(path.read_text()))
    assert [error.message for error in errors] == []


def assert_complete(settings: BaseModel, stated: object) -> None:
    """Every field of the settings, and of the settings in it, is stated."""
    assert isinstance(stated, dict)
    assert list(stated) == list(type(settings).model_fields)
    for name in stated:
        value = getattr(settings, name)
        inner = value if isinstance(value, list) else [value]
        parts = stated[name] if isinstance(value, list) else [stated[name]]
        for each, part in zip(inner, parts, strict=True):
            if isinstance(each, BaseModel):
                assert_complete(each, part)


def test_workers_take_as_many_gpus_as_their_engine_spreads_a_model_over(playground: Playground) -> None:
    spread = playground.config(engine={"type": "vllm", "tensor_parallel_size": 2}, cluster={"type": "ray"})
    cluster = resolve(parse_config(spread, "test"), playground.folder).cluster
    assert cluster.type == "ray"
    assert cluster.gpus_per_worker == 2
    alone = playground.config(cluster={"type": "ray", "gpus_per_worker": 4})
    with pytest.raises(
        ConfigError, match=r"cluster.gpus_per_worker: 4, but the engine uses 1; .*tensor_parallel_size: 4"
    ):
        resolve(parse_config(alone, "test"), playground.folder)
