"""Export a finished model, proved on the rows of its own training or on others."""

from __future__ import annotations

from pathlib import Path

from tinybert.config import DataSection
from tinybert.console import say
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
from tinybert.inference.graph import check_family
from tinybert.inference.parity import Parity
from tinybert.inference.predictor import Predictor
from tinybert.models import load_config
from tinybert.runs import Run, is_run
from tinybert.sources.bundled import is_bundled

PROOF_ROWS = 2000


def export(
    run: str | Path,
    *,
    to: str = "onnx",
    precision: Precision = "int8",
    data: object = None,
    settings: DataSection | None = None,
    min_kept: float | None = None,
) -> Export:
    """Export a run or a checkpoint; one that is there and still fits is left alone.

    Args:
        run: Run or checkpoint on disk.
        to: ``onnx``, ``openvino`` or ``litert``.
        precision: ``fp32``, ``bf16`` or ``int8``.
        data: Rows to prove it on; those that the run was trained and validated on when None.
        settings: Columns of ``data``.
        min_kept: Share of the checkpoint's metric that must be kept, instead of the written tolerance.

    Raises:
        TinyBertError: What cannot be exported, or answers otherwise than the checkpoint.
    """
    path = checkpoint_folder(run)
    check_format(to, precision)
    check_share(min_kept, "--min-kept")
    check_family(load_config(path))
    name = full_name(to, precision)
    allowed = tolerance_of(precision, min_kept)
    there = known_export(path / EXPORTS / name) if data is None else None
    if there is not None and not there.changes() and not parity_of(there).failures(allowed):
        say(f"{there.folder} is there already, made from these weights: nothing to do")
        return there
    proof = proof_rows(path, data, settings)
    return export_checkpoint(path, to=to, precision=precision, proof=proof, min_kept=min_kept)


def known_export(folder: Path) -> Export | None:
    """Return an export with its proof, or None where there is none that could be trusted."""
    try:
        found = read_export(folder) if is_export(folder) else None
    except ModelError:
        return None
    return found if found is not None and isinstance(found.metadata.get("parity"), dict) else None


def check_share(value: float | None, name: str) -> None:
    """Refuse what is no share of a score.

    Raises:
        RecipeError: It is not above 0 and at most 2.
    """
    if value is not None and not 0 < value <= 2:
        raise RecipeError(name, f"{value}: expected a share of the score, such as 0.97")


def check_exports(
    run: str | Path,
    *,
    data: object = None,
    settings: DataSection | None = None,
    min_kept: float | None = None,
) -> dict[str, Parity]:
    """Measure all exports of a checkpoint once more; return name → parity.

    Raises:
        ModelError: There are none, or some fail; all are named.
    """
    path = checkpoint_folder(run)
    check_share(min_kept, "--min-kept")
    exports = exports_of(path)
    if not exports:
        raise ModelError(str(path), f"has no exports to check; make one: tinybert export {path}")
    proof = proof_rows(path, data, settings)
    found: dict[str, Parity] = {}
    problems: list[str] = []
    for each in exports:
        try:
            found[each.name] = check_export(each, proof, min_kept=min_kept)
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
            str(run), "is a name of the hub; save it into a folder first, its exports stand in there"
        )
    return path


def proof_rows(path: Path, data: object, settings: DataSection | None) -> Proof:
    """Return the rows to calibrate on and those to compare on, from a run's own data or from other data.

    Of the run's own data, and of a folder with splits, training rows calibrate and validation rows prove. A
    single file does both.

    Raises:
        RecipeError: There is neither.
        DataError: They cannot be read.
    """
    known = Predictor(path, backend="torch")
    if data is None:
        recipe = Run(path).recipe if is_run(path) else None
        if recipe is None or recipe.data.path is None:
            raise RecipeError(
                str(path), "no rows of its own are known; give labelled ones: --data FILE_OR_FOLDER"
            )
        data, settings = recipe.data.path, recipe.data
        if not is_bundled(data) and "/" in data and not Path(data).expanduser().exists():
            raise RecipeError(
                str(path),
                f"was trained on {data}, which is not there any more; give rows: --data FILE_OR_FOLDER",
            )
        need = ("train", "validation")
    else:
        is_file = isinstance(data, str | Path) and Path(data).expanduser().is_file()
        need = ("test",) if is_file else ("train", "validation")
    found = load(
        data,  # pyright: ignore[reportArgumentType]
        settings=settings or DataSection(),
        label_kind=known.task.label_kind,
        need=need,
        allow_unlabelled=True,
        known_labels=known.labels,
    )
    splits = found.splits
    rows = spread(splits[need[-1]], PROOF_ROWS)
    return Proof(splits[need[0]], rows, f"{need[-1]} split of {found.source}")
