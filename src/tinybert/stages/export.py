"""Export a finished model, proved on the rows of its own training or on others."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from tinybert.advice import setting
from tinybert.config import DataSection, Recipe, dump_recipe
from tinybert.console import say, warn
from tinybert.data import load
from tinybert.errors import ModelError, RecipeError
from tinybert.inference.backends import Precision, full_name
from tinybert.inference.export import (
    Proof,
    check_export,
    check_format,
    export_checkpoint,
    parity_of,
    spread,
    tolerance_of,
)
from tinybert.inference.exports import EXPORTS, Export, exports_of, is_export, read_export
from tinybert.inference.parity import Parity
from tinybert.inference.predictor import Predictor
from tinybert.models import load_config
from tinybert.runs import Run, is_run
from tinybert.sources.bundled import is_bundled
from tinybert.stages.stage import Made, Plan
from tinybert.tasks import Task, own_task, task_of_config

PROOF_ROWS = 2000


@dataclass(frozen=True)
class ExportPlan(Plan):
    """Everything an export needs to know before it loads weights.

    Attributes:
        folder: The checkpoint's.
        task: What the checkpoint was trained for.
    """

    folder: Path
    task: Task

    @property
    def target(self) -> Path:
        """The export's folder, or the folder of all that are checked."""
        section = self.recipe.export
        exports = self.folder / EXPORTS
        return exports if section.check else exports / full_name(section.format, section.precision)

    def inputs(self) -> dict[str, str]:
        """Return what is read besides the rows: name → path."""
        return {"model": str(self.folder)}

    def describe(self) -> str:
        """Return where the export goes, and the recipe as it would be run."""
        return f"# export: {self.target}\n{dump_recipe(self.recipe)}"


def plan_export(recipe: Recipe) -> ExportPlan:
    """Decide everything an export needs.

    Raises:
        TinyBertError: There is no such model or format, or the model's family cannot be exported.
    """
    if recipe.model is None:
        raise RecipeError("recipe", "model is missing; give it a run or a checkpoint folder")
    folder, section = checkpoint_folder(recipe.model), recipe.export
    if not section.check:
        check_format(section.format, section.precision, load_config(folder))
    task = task_of_config(load_config(folder), named=own_task(recipe.task))
    return ExportPlan(recipe, folder, task)


def run_export(plan: ExportPlan, out: Path, source: object) -> Made:
    """Export a run or a checkpoint, or measure its exports once more.

    Args:
        plan: Made by :func:`plan_export`.
        out: The plan's target; an export is always in the folder of its checkpoint.
        source: Rows to prove it on; those that the run was trained and validated on when None.

    Returns:
        The folder, with each export's parity by its name.

    Raises:
        TinyBertError: What cannot be exported, or predicts otherwise than the checkpoint.
    """
    if out != plan.target:
        raise RecipeError("--out", f"{out}: an export goes to {plan.target}; omit --out")
    section, columns = plan.recipe.export, plan.recipe.data
    if section.check:
        found = check_exports(
            plan.folder, data=source, settings=columns, min_kept=section.min_kept, task=plan.task
        )
    else:
        made = export(
            plan.folder,
            format=section.format,
            precision=section.precision,
            data=source,
            settings=columns,
            min_kept=section.min_kept,
            task=plan.task,
        )
        found = {made.name: parity_of(made)}
    return Made(out, {name: asdict(parity) for name, parity in found.items()})


def export(
    run: str | Path,
    *,
    format: str = "onnx",
    precision: Precision = "int8",
    data: object = None,
    settings: DataSection | None = None,
    min_kept: float | None = None,
    task: Task | None = None,
) -> Export:
    """Export a run or a checkpoint; one that exists and still fits is kept.

    Args:
        run: Run or checkpoint on disk.
        format: ``onnx``, ``openvino`` or ``litert``.
        precision: ``fp32``, ``bf16`` or ``int8``.
        data: Rows to prove it on; those that the run was trained and validated on when None.
        settings: Columns of ``data``.
        min_kept: Share of the checkpoint's metric that must be kept, instead of the written tolerance.
        task: What the checkpoint was trained for, where that is a task of the user's own.

    Raises:
        TinyBertError: What cannot be exported, or predicts otherwise than the checkpoint.
    """
    path = checkpoint_folder(run)
    check_format(format, precision, load_config(path))
    name = full_name(format, precision)
    there = known_export(path / EXPORTS / name) if data is None else None
    if there is not None and not there.changes() and _passes(there, min_kept):
        say(f"{there.folder} already exists, made from these weights: nothing to do")
        return there
    proof = proof_rows(path, data, settings, task=task)
    return export_checkpoint(
        path, format=format, precision=precision, proof=proof, min_kept=min_kept, task=task
    )


def _passes(export: Export, min_kept: float | None) -> bool:
    parity = parity_of(export)
    return not parity.failures(tolerance_of(export.precision, min_kept, writes=parity.writes))


def known_export(folder: Path) -> Export | None:
    """Return an export with its proof, or None where there is none that could be trusted."""
    try:
        found = read_export(folder) if is_export(folder) else None
    except ModelError:
        return None
    return found if found is not None and isinstance(found.metadata.get("parity"), dict) else None


def check_exports(
    run: str | Path,
    *,
    data: object = None,
    settings: DataSection | None = None,
    min_kept: float | None = None,
    task: Task | None = None,
) -> dict[str, Parity]:
    """Measure all exports of a checkpoint once more; return name → parity.

    Raises:
        ModelError: There are none, or some fail; all are named.
    """
    path = checkpoint_folder(run)
    exports = exports_of(path)
    if not exports:
        raise ModelError(str(path), f"has no exports to check; make one: tinybert export {path}")
    proof = proof_rows(path, data, settings, task=task)
    found: dict[str, Parity] = {}
    problems: list[str] = []
    for each in exports:
        try:
            found[each.name] = check_export(each, proof, min_kept=min_kept, task=task)
        except ModelError as error:
            problems += [f"{each.name}: {problem}" for problem in error.problems]
    if problems:
        raise ModelError(str(path / EXPORTS), problems)
    return found


def checkpoint_folder(run: str | Path) -> Path:
    """Return the folder of a checkpoint that is to be exported.

    Raises:
        ModelError: It is a name of the hub.
    """
    path = Path(run).expanduser()
    load_config(run)
    if not path.is_dir():
        raise ModelError(
            str(run), "is a name of the hub; save it into a folder first, its exports go in there"
        )
    return path


def proof_rows(path: Path, data: object, settings: DataSection | None, *, task: Task | None = None) -> Proof:
    """Return the rows to calibrate on and those to compare on, from a run's own data or from other data.

    Of the run's own data, and of a folder with splits, training rows calibrate and validation rows prove. A
    single file does both.

    Raises:
        RecipeError: There is neither.
        DataError: They cannot be read.
    """
    known, is_given = Predictor(path, backend="torch", task=task), data is not None
    if data is None:
        _refuse_settings(settings or DataSection())
        recipe = Run(path).recipe if is_run(path) else None
        if recipe is None or recipe.data.path is None:
            raise RecipeError(
                str(path), "no rows of its own are known; give labelled ones: --data FILE_OR_FOLDER"
            )
        data, settings = recipe.data.path, recipe.data
        if not is_bundled(data) and "/" in data and not Path(data).expanduser().exists():
            raise RecipeError(
                str(path),
                f"was trained on {data}, which no longer exists; give rows: --data FILE_OR_FOLDER",
            )
        need = ("train", "validation")
    else:
        is_file = isinstance(data, str | Path) and Path(data).expanduser().is_file()
        need = ("test",) if is_file else ("train", "validation")
    found = load(
        data,
        settings=settings or DataSection(),
        format=known.task.format,
        need=need,
        allow_unlabelled=True,
        known_labels=known.labels,
    )
    if is_given:
        for warning in found.warnings:
            warn(warning)
    if found.bad_rows:
        warn(f"{len(found.bad_rows):,} bad rows are not used")
    splits = found.splits
    rows = spread(splits[need[-1]], PROOF_ROWS)
    return Proof(splits[need[0]], rows, f"{need[-1]} split of {found.source}")


def _refuse_settings(settings: DataSection) -> None:
    """Refuse settings of rows that are not given: those of a run are read as in its training.

    Raises:
        RecipeError: There are some.
    """
    given = settings.model_dump(exclude_defaults=True).items()
    if problems := [
        f"{setting(f'data.{name}', str(value))}: says how rows of data are read, and no data is given; give "
        "it, or omit this"
        for name, value in given
    ]:
        raise RecipeError("recipe", problems)
