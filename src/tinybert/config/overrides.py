"""Read a recipe from YAML, lay ``key.path=value`` over it, and say every problem at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import get_args

import yaml
from pydantic import BaseModel, ValidationError

from tinybert.config.recipe import Recipe
from tinybert.errors import RecipeError
from tinybert.lookup import nearest

Tree = dict[str, object]

EXPECTED = {
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "float_type": "a number",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "string_type": "text; quote it",
    "list_type": "a list, such as [one, two]",
    "dict_type": "a mapping, such as {name: 2}",
}
"""Kind of a value that was refused → what it must be, in plain words."""


def load_recipe(path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a YAML recipe and lay overrides over it.

    Raises:
        RecipeError: The file cannot be read, or any key or value is wrong (all are listed).
    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8")
        tree, repeated = yaml.safe_load(text), _repeated(yaml.compose(text, yaml.SafeLoader))
    except OSError as error:
        raise RecipeError(str(path), f"cannot read this recipe: {error.strerror or error}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RecipeError(str(path), f"not a YAML file: {error}") from error
    except RecursionError:
        raise RecipeError(str(path), "an alias is inside its own anchor: write out what it means") from None
    if not isinstance(tree, dict):
        raise RecipeError(str(path), "a recipe is a mapping of keys to values")
    if repeated:
        raise RecipeError(str(path), repeated)
    return build_recipe(tree, overrides, subject=str(path))


def _repeated(node: yaml.Node | None, above: str = "") -> list[str]:
    """Name the keys that are there twice: YAML would take the last and say nothing."""
    if not isinstance(node, yaml.MappingNode):
        return []
    problems: list[str] = []
    lines: dict[str, int] = {}
    for key, value in node.value:
        name, line = f"{above}{key.value}", key.start_mark.line + 1
        if name in lines:
            problems.append(f"{name}: given twice, in lines {lines[name]} and {line}; keep one of them")
        lines[name] = line
        problems += _repeated(value, f"{name}.")
    return problems


def build_recipe(
    tree: Mapping[str, object], overrides: Sequence[str] = (), *, subject: str = "recipe"
) -> Recipe:
    """Make a recipe of a nested mapping and ``key.path=value`` overrides.

    Example:
        >>> build_recipe({"task": "regression"}, ["train.num_epochs=3"]).train.num_epochs
        3

    Raises:
        RecipeError: Any key or value is wrong; all problems are listed.
    """
    merged = _copy(tree)
    problems = [problem for item in overrides for problem in _lay_over(merged, item)]
    try:
        recipe = Recipe.model_validate(merged)
    except ValidationError as error:
        problems += [_explain(dict(detail)) for detail in error.errors(include_url=False)]
        raise RecipeError(subject, problems) from error
    if problems:
        raise RecipeError(subject, problems)
    return recipe


def dump_recipe(recipe: Recipe) -> str:
    """Return the settings of a recipe as YAML: of a planned one, all that its stage reads."""
    content = recipe.model_dump(mode="json", exclude_unset=True)
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


def _copy(tree: Mapping[str, object]) -> Tree:
    return {key: _copy(value) if isinstance(value, Mapping) else value for key, value in tree.items()}


def _lay_over(tree: Tree, item: str) -> list[str]:
    path, equals, text = item.partition("=")
    if not equals or not path:
        return [f"{item!r}: an override is written key.path=value, for example train.num_epochs=3"]
    if not text.strip():
        return [f"{item!r}: nothing is behind the =; give a value, or null for none"]
    *parents, leaf = path.split(".")
    node = tree
    for parent in parents:
        child = node.setdefault(parent, {})
        if not isinstance(child, dict):
            return [f"{path}: {parent} is a value, not a section"]
        node = child
    try:
        node[leaf] = _number(yaml.safe_load(text))
    except yaml.YAMLError:
        return [f"{path} = {text!r}: not a YAML value; quote it"]
    return []


def _number(value: object) -> object:
    """YAML 1.1 reads 5e-5 as text; people mean the number."""
    if isinstance(value, str):
        try:
            return float(value) if "e" in value.lower() else value
        except ValueError:
            return value
    return value


def _explain(detail: dict[str, object]) -> str:
    parts = detail["loc"] if isinstance(detail["loc"], tuple) else ()
    location = [str(part) for part in parts if "[" not in str(part)]  # pydantic names the kind it tried
    path = ".".join(location)
    if detail["type"] == "extra_forbidden":
        section = _section_at(location[:-1])
        allowed = list(section.model_fields) if section else []
        return f"{path}: unknown key{nearest(location[-1], allowed)} (allowed: {', '.join(allowed)})"
    if detail["type"] == "model_type":
        section = _section_at(location)
        keys = f", for example {location[-1]}.{next(iter(section.model_fields))}" if section else ""
        return f"{path} = {detail['input']!r}: a section, not a value; set its keys{keys}"
    expected = EXPECTED.get(str(detail["type"]))
    message = str(detail["msg"]).removeprefix("Value error, ").lower().replace("input should", "must")
    problem = f"must be {expected}" if expected else message
    return f"{path} = {detail['input']!r}: {problem}"


def _section_at(location: Sequence[str]) -> type[BaseModel] | None:
    section: type[BaseModel] = Recipe
    for part in location:
        field = section.model_fields.get(part)
        if field is None:
            return None
        kind = field.annotation
        options = [kind, *get_args(kind)]
        models = [option for option in options if isinstance(option, type) and issubclass(option, BaseModel)]
        if not models:
            return None
        section = models[0]
    return section
