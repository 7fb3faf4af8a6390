from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from tinybert.config import Recipe, TrainSection, build_recipe, dump_recipe, load_recipe
from tinybert.errors import RecipeError

RECIPES = sorted((Path(__file__).parents[3] / "recipes").glob("*.yaml"))


def problems_of(*overrides: str, tree: dict[str, object] | None = None) -> tuple[str, ...]:
    with pytest.raises(RecipeError) as caught:
        build_recipe(tree or {}, overrides)
    return caught.value.problems


def test_an_unknown_key_is_refused_with_the_nearest_known_one() -> None:
    (problem,) = problems_of("train.num_epoch=3")
    assert problem.startswith("train.num_epoch: unknown key; did you mean 'num_epochs'?")
    assert "learning_rate" in problem


@pytest.mark.parametrize(
    ("key", "allowed"), [("tain", "train"), ("student.hiddn_size", "hidden_size"), ("data.labels", "label")]
)
def test_the_nearest_key_is_looked_for_in_its_own_section(key: str, allowed: str) -> None:
    (problem,) = problems_of(f"{key}=1")
    assert f"{key}: unknown key; did you mean '{allowed}'?" in problem


def test_all_problems_are_said_at_once() -> None:
    problems = problems_of(
        "train.batch_size=0", "teacher.stor=on", "distill.temperature=-1", "seed", tree={"stage": "destill"}
    )
    assert len(problems) == 5
    text = "\n".join(problems)
    for part in (
        "train.batch_size = 0",
        "teacher.stor:",
        "distill.temperature = -1",
        "'seed':",
        "stage = 'destill'",
    ):
        assert part in text


def test_an_error_names_its_file(tmp_path: Path) -> None:
    path = tmp_path / "reviews.yaml"
    path.write_text("train: {num_epochs: 0}\nbaselin: true\n")
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    assert str(caught.value).startswith(f"{path}: 2 problems\n")


@pytest.mark.parametrize(("text", "value"), [("5e-5", 5e-5), ("1E-3", 1e-3), ("0.0001", 1e-4), ("2", 2.0)])
def test_people_write_small_numbers_with_an_e(text: str, value: float) -> None:
    assert build_recipe({}, [f"train.learning_rate={text}"]).train.learning_rate == value


def test_a_name_with_an_e_stays_a_name() -> None:
    assert build_recipe({}, ["student.shape=1e-model"]).student.shape == "1e-model"


def test_overrides_read_lists_mappings_and_null() -> None:
    recipe = build_recipe(
        {"train": {"num_epochs": 9}},
        [
            "student.layer_map=[2, 4]",
            "distill.losses={kl_divergence: 1, hard: 0.5}",
            "train.num_epochs=null",
            "data.path=a=b.csv",
        ],
    )
    assert recipe.student.layer_map == [2, 4]
    assert recipe.distill.losses == {"kl_divergence": 1.0, "hard": 0.5}
    assert recipe.train.num_epochs == "auto"  # recipes of earlier versions hold null
    assert recipe.data.path == "a=b.csv"


@pytest.mark.parametrize("store", ["on", "off", "auto"])
def test_on_and_off_are_words_though_yaml_reads_booleans(tmp_path: Path, store: str) -> None:
    assert build_recipe({}, [f"teacher.store={store}"]).teacher.store == store
    path = tmp_path / "recipe.yaml"
    path.write_text(f"teacher: {{store: {store}}}\n")
    assert load_recipe(path).teacher.store == store
    path.write_text(dump_recipe(load_recipe(path)))
    assert load_recipe(path).teacher.store == store


def test_overrides_add_to_a_mapping() -> None:
    recipe = build_recipe({"distill": {"losses": {"hard": 1.0}}}, ["distill.losses.mse_logits=2"])
    assert recipe.distill.losses == {"hard": 1.0, "mse_logits": 2.0}


@pytest.mark.parametrize(
    ("override", "part"),
    [
        ("train.num_epochs", "an override is written key.path=value"),
        ("=3", "an override is written key.path=value"),
        ("train.learning_rate=", "nothing is behind the =; give a value, or null for none"),
        ("task.name=x", "task is a value, not a section"),
        ("data.path={", "not a YAML value; quote it"),
    ],
)
def test_a_malformed_override_is_explained(override: str, part: str) -> None:
    (problem,) = problems_of(override, tree={"task": "classification"})
    assert part in problem


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"- a\n- b\n", "mapping of keys"),
        (b"a: [", "not a YAML file"),
        (b"a: \xff", "not a YAML file"),
        (b"task: ner\ntask: qa\n", "task: given twice, in lines 1 and 2"),
        (b"train:\n  seed: 1\n  batch_size: 8\n  seed: 2\n", "train.seed: given twice, in lines 2 and 4"),
        (b"train: &x\n  seed: *x\n", "an alias is inside its own anchor"),
    ],
)
def test_a_file_that_is_no_recipe_is_refused(tmp_path: Path, content: bytes, part: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_bytes(content)
    with pytest.raises(RecipeError, match=part):
        load_recipe(path)


def test_a_missing_recipe_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="cannot read this recipe: No such file"):
        load_recipe(tmp_path / "none.yaml")


def test_a_recipe_reads_back_as_it_was_written(tmp_path: Path) -> None:
    recipe = build_recipe(
        {"data": {"path": "影评.csv"}}, ["train.learning_rate=3e-5", "student.layer_map=[1, 3]"]
    )
    path = tmp_path / "recipe.yaml"
    path.write_text(dump_recipe(recipe), encoding="utf-8")
    assert load_recipe(path) == recipe
    assert "影评.csv" in path.read_text(encoding="utf-8")
    written = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert written.keys() == {"data", "train", "student"}  # what is left out has its default again


def test_a_recipe_is_frozen() -> None:
    recipe = Recipe()
    with pytest.raises(ValidationError, match="frozen"):
        recipe.train.seed = 3  # pyright: ignore[reportAttributeAccessIssue]


def test_laying_overrides_over_a_tree_leaves_the_tree_alone() -> None:
    tree: dict[str, object] = {"train": {"seed": 1}}
    assert build_recipe(tree, ["train.seed=2"]).train == TrainSection(seed=2)
    assert tree == {"train": {"seed": 1}}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_that_ships_loads(path: Path) -> None:
    assert load_recipe(path).data.path is not None


def test_class_weights_are_a_word_or_numbers_by_label() -> None:
    train = build_recipe({}, ["train.class_weights={0: 5, true: 2.5, ham: 0.1}"]).train
    assert train.class_weights == {"0": 5, "true": 2.5, "ham": 0.1}
    assert build_recipe({}, ["train.class_weights=balanced"]).train.class_weights == "balanced"
    assert problems_of("train.class_weights=balance") == (
        "train.class_weights = 'balance': must be none, balanced or a mapping such as {label: 2}",
    )
    assert any("finite number" in problem for problem in problems_of("train.class_weights={ham: .inf}"))


@pytest.mark.parametrize("section", ["train", "teacher"])
@pytest.mark.parametrize("value", ["auto", "1", "7"])
def test_epochs_are_a_number_or_auto(section: str, value: str) -> None:
    recipe = build_recipe({}, [f"{section}.num_epochs={value}"])
    assert getattr(recipe, section).num_epochs == (value if value == "auto" else int(value))
    assert getattr(build_recipe({}), section).num_epochs == "auto"


@pytest.mark.parametrize("value", ["0", "-1", "2.5", "Auto", "true", "[3]", "1e3"])
def test_other_epochs_are_refused(value: str) -> None:
    with pytest.raises(RecipeError) as caught:
        build_recipe({}, [f"train.num_epochs={value}"])
    (problem,) = caught.value.problems
    assert problem.startswith("train.num_epochs = ")
    assert problem.endswith("must be a whole number, 1 or more, or auto")
