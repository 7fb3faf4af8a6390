from __future__ import annotations

import csv
import errno
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests import easy
from tests.damage import cut, flip

from tinybert.errors import DataError, RunError
from tinybert.inference import Predictor, TextRow, files, prediction_file, row_windows
from tinybert.inference.files import predict_file
from tinybert.tasks import Prediction

ROWS = easy.make_rows(7, seed=6)
TEXTS = [str(row["text"]) for row in ROWS]
GOLD = [row["label"] for row in ROWS]


COLUMN_FILES = (".conll", ".conllu", ".bio", ".iob", ".iob2")  # of tokens, for named entities


@pytest.fixture(scope="module")
def teacher(tiny_teacher: Path) -> Predictor:
    return Predictor(tiny_teacher)


def write(path: Path, texts: list[str] = TEXTS, *, column: str = "text") -> Path:
    if path.suffix == ".parquet":
        pq.write_table(pa.table({column: texts, "id": list(range(len(texts)))}), path)
    elif path.suffix in (".csv", ".tsv"):
        with path.open("w", newline="", encoding="utf-8-sig") as file:
            table = csv.writer(file, delimiter="\t" if path.suffix == ".tsv" else ",")
            table.writerows([[column, "id"], *([text, i] for i, text in enumerate(texts))])
    elif path.suffix == ".tmx":  # of a unit with one language, which is read as a row with one column
        unit = '<tu><tuv xml:lang="%s"><seg>%s</seg></tuv><tuv xml:lang="id"><seg>%d</seg></tuv></tu>'
        units = "".join(unit % (column, text, i) for i, text in enumerate(texts))
        path.write_text(f'<?xml version="1.0"?><tmx version="1.4"><header/><body>{units}</body></tmx>')
    elif path.suffix == ".txt":
        path.write_text("\n".join(texts) + "\n")
    elif path.suffix == ".json":
        path.write_text(json.dumps([{column: text, "id": i} for i, text in enumerate(texts)]))
    else:
        path.write_text("".join(json.dumps({column: text, "id": i}) + "\n" for i, text in enumerate(texts)))
    return path


@pytest.mark.parametrize("suffix", [suffix for suffix in files.INPUTS if suffix not in COLUMN_FILES])
def test_every_kind_of_file_is_read(teacher: Predictor, tmp_path: Path, suffix: str) -> None:
    target = tmp_path / "answers.jsonl"
    predict_file(teacher, write(tmp_path / f"texts{suffix}"), target)
    answers = [json.loads(line) for line in target.read_text().splitlines()]
    assert [answer["text"] for answer in answers] == TEXTS
    assert [answer["label"] for answer in answers] == GOLD
    if suffix != ".txt":
        assert [int(answer["id"]) for answer in answers] == list(range(7))


@pytest.mark.parametrize("suffix", files.OUTPUTS)
def test_every_kind_of_file_is_written(teacher: Predictor, tmp_path: Path, suffix: str) -> None:
    target = tmp_path / f"answers{suffix}"
    predict_file(teacher, write(tmp_path / "texts.jsonl"), target)
    with target.open(newline="") as file:
        if suffix in (".csv", ".tsv"):
            answers = list(csv.DictReader(file, delimiter="\t" if suffix == ".tsv" else ","))
        else:
            answers = [json.loads(line) for line in file]
    assert [(answer["text"], answer["label"]) for answer in answers] == list(zip(TEXTS, GOLD, strict=True))
    assert all(0.5 <= float(answer["score"]) <= 1 for answer in answers)


def test_without_a_target_lines_go_to_standard_output(
    teacher: Predictor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    predict_file(teacher, write(tmp_path / "texts.txt"), None)
    assert [json.loads(line)["label"] for line in capsys.readouterr().out.splitlines()] == GOLD


def test_pairs_are_read_from_their_column(teacher: Predictor, tmp_path: Path) -> None:
    source = easy.write_rows(tmp_path / "pairs.jsonl", [{"text": "bab", "text_pair": "good"}] * 2)
    predict_file(teacher, source, tmp_path / "out.jsonl")
    answer = json.loads((tmp_path / "out.jsonl").read_text().splitlines()[0])
    assert answer["score"] == pytest.approx(teacher([("bab", "good")])[0].score, abs=1e-6)


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".tsv"])
def test_a_broken_row_is_told_and_set_aside_and_the_rest_goes_on(
    teacher: Predictor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    suffix: str,
) -> None:
    monkeypatch.setattr(row_windows, "CHUNK_ROWS", 3)
    source = write(tmp_path / "texts.jsonl", [*TEXTS[:4], " ", *TEXTS[4:]])
    with source.open("ab") as file:
        file.write(b'{"text": "broken\n{"text": "na\xefve"}\n')
    target = tmp_path / f"answers{suffix}"
    counts = predict_file(teacher, source, target)
    assert (counts.num_rows, counts.num_bad) == (10, 3)
    said = capsys.readouterr().err
    assert "line 5, text: ' '; give a text, a str with a visible character" in said
    assert "line 9: not valid JSON" in said
    assert "line 10: character 13 (byte 0xef) is not UTF-8" in said
    aside = [
        json.loads(line) for line in (tmp_path / f"answers{suffix}.bad_rows.jsonl").read_text().splitlines()
    ]
    assert [row["row"] for row in aside] == [5, 9, 10]
    assert [row["field"] for row in aside] == ["text", "", ""]
    assert {(row["file"], row["unit"]) for row in aside} == {(str(source), "line")}
    assert aside[0]["raw"] == {"text": " ", "id": 4}
    assert [(row["text"], row["label"]) for row in read(target)] == list(zip(TEXTS, GOLD, strict=True))
    left = [
        *(f".answers{suffix}.made_from.json", f"answers{suffix}", f"answers{suffix}.bad_rows.jsonl"),
        "texts.jsonl",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(left)


def read(path: Path) -> list[dict[str, object]]:
    with path.open(newline="") as file:
        if path.suffix == ".jsonl":
            return [json.loads(line) for line in file]
        return list(csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ","))


def test_a_file_without_a_good_row_is_refused_and_leaves_nothing(teacher: Predictor, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="line 1, text: ' '; give a text, a str with a visible character"):
        predict_file(teacher, write(tmp_path / "texts.jsonl", [" ", ""]), tmp_path / "answers.jsonl")
    assert [path.name for path in tmp_path.iterdir()] == ["texts.jsonl"]


class Stopping(Predictor):
    """Stops at its third window."""

    windows = 0

    def stream_texts(self, rows: Iterable[TextRow]) -> Iterator[Prediction]:
        self.windows += 1
        if self.windows == 3:
            raise KeyboardInterrupt
        return super().stream_texts(rows)


class Seeing(Predictor):
    """Counts the rows it is asked about."""

    num_rows = 0

    def stream_texts(self, rows: Iterable[TextRow]) -> Iterator[Prediction]:
        given = list(rows)
        self.num_rows += len(given)
        return super().stream_texts(given)


@pytest.mark.parametrize("suffix", files.OUTPUTS)
def test_the_same_call_goes_on_after_a_stop_and_ends_with_the_same_bytes(
    teacher: Predictor, tiny_teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    monkeypatch.setattr(row_windows, "CHUNK_ROWS", 2)
    source = write(tmp_path / "texts.jsonl", [TEXTS[0], "", *TEXTS[1:], ""])
    whole, target = tmp_path / f"whole{suffix}", tmp_path / f"answers{suffix}"
    predict_file(teacher, source, whole)
    with pytest.raises(KeyboardInterrupt):
        predict_file(Stopping(tiny_teacher), source, target)
    assert not target.exists()
    partial = target.with_name(target.name + ".partial")
    assert whole.read_bytes().startswith(partial.read_bytes())  # whole lines: what is written stays valid
    assert partial.read_bytes().endswith(b"\n")
    with partial.open("ab") as file:  # as a kill amid a write leaves it
        file.write(b'{"half a line')
    seen = Seeing(tiny_teacher)
    predict_file(seen, source, target)
    assert seen.num_rows == len(TEXTS) - 3
    assert target.read_bytes() == whole.read_bytes()
    bad = [path.read_bytes() for path in sorted(tmp_path.glob("*.bad_rows.jsonl"))]
    assert bad[0] == bad[1]
    assert not list(tmp_path.glob("*.partial*"))


def test_unfinished_answers_of_another_input_are_kept(
    teacher: Predictor, tiny_teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_windows, "CHUNK_ROWS", 2)
    target = tmp_path / "answers.jsonl"
    with pytest.raises(KeyboardInterrupt):
        predict_file(Stopping(tiny_teacher), write(tmp_path / "texts.jsonl"), target)
    before = (tmp_path / "answers.jsonl.partial").read_bytes()
    with pytest.raises(RunError, match="an unfinished one with other input and other files is in"):
        predict_file(teacher, write(tmp_path / "others.jsonl"), target)
    assert (tmp_path / "answers.jsonl.partial").read_bytes() == before


def test_a_full_disk_is_said_and_the_same_call_goes_on(
    teacher: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_windows, "CHUNK_ROWS", 2)
    source, target = write(tmp_path / "texts.jsonl"), tmp_path / "answers.jsonl"
    append, calls = prediction_file._append, iter([False, True])

    def full(file: Path, text: str) -> int:
        if next(calls):
            append(file, text[:20])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return append(file, text)

    monkeypatch.setattr(prediction_file, "_append", full)
    with pytest.raises(RunError, match=r"No space left on device; fix this and give the same command again"):
        predict_file(teacher, source, target)
    monkeypatch.setattr(prediction_file, "_append", append)
    predict_file(teacher, source, target)
    assert [row["text"] for row in read(target)] == TEXTS


def test_a_long_text_is_cut_and_told(teacher: Predictor, tmp_path: Path) -> None:
    source = write(tmp_path / "texts.jsonl", ["good " * 100_000, *TEXTS])
    assert predict_file(teacher, source, tmp_path / "out.jsonl").num_truncated == 1
    assert read(tmp_path / "out.jsonl")[0]["label"] == "positive"


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_a_missing_column_is_said_with_those_there_are(
    teacher: Predictor, tmp_path: Path, suffix: str
) -> None:
    with pytest.raises(
        DataError, match=r"known as the text \(the columns are: remark, id\); rename it to 'text', or train"
    ):
        predict_file(teacher, write(tmp_path / f"texts{suffix}", column="remark"), tmp_path / "out.jsonl")


def own_run(tiny_teacher: Path, folder: Path, **data: str) -> Predictor:
    """Return that classifier as a run which was trained on columns of other names."""
    run = Path(shutil.copytree(tiny_teacher, folder))
    columns = "".join(f"  {name}: {column}\n" for name, column in data.items())
    (run / "recipe.yaml").write_text(f"stage: finetune\nmodel: bundled:minilm\ndata:\n{columns}")
    (run / "metrics.json").write_text("{}")
    return Predictor(run)


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet", ".json"])
def test_a_run_reads_its_own_column_of_a_file(tiny_teacher: Path, tmp_path: Path, suffix: str) -> None:
    own, target = own_run(tiny_teacher, tmp_path / "own", text="body"), tmp_path / "out.jsonl"
    assert predict_file(own, write(tmp_path / f"rows{suffix}", column="body"), target).num_bad == 0
    assert [(row["body"], row["label"]) for row in read(target)] == list(zip(TEXTS, GOLD, strict=True))


def test_a_column_of_its_own_comes_before_the_usual_ones(
    tiny_teacher: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own, source = own_run(tiny_teacher, tmp_path / "own", text="body"), tmp_path / "rows.jsonl"
    rows = [{"text": "bad", "body": text, "text_pair": "awful"} for text in [*TEXTS, " "]]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert predict_file(own, source, tmp_path / "out.jsonl").num_bad == 1
    assert [row["label"] for row in read(tmp_path / "out.jsonl")] == GOLD
    assert "line 8, body: ' '" in capsys.readouterr().err


def test_a_missing_column_of_its_own_is_said_once(tiny_teacher: Path, tmp_path: Path) -> None:
    own = own_run(tiny_teacher, tmp_path / "own", text="body")
    with pytest.raises(DataError) as caught:
        predict_file(own, write(tmp_path / "rows.csv", column="remark"), tmp_path / "out.jsonl")
    assert caught.value.problems == (
        "no column is known as the text (the columns are: remark, id); rename it to 'body', as in training, "
        "or to 'text'",
    )


def test_the_only_name_in_a_csv_may_be_a_text(teacher: Predictor, tmp_path: Path) -> None:
    for suffix in (".csv", ".tsv"):
        (tmp_path / f"rows{suffix}").write_text("\n".join(TEXTS) + "\n")
        with pytest.raises(DataError, match="no column is known as the text"):
            predict_file(teacher, tmp_path / f"rows{suffix}", tmp_path / "out.jsonl")
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps({"body": text}) + "\n" for text in TEXTS))
    predict_file(teacher, tmp_path / "rows.jsonl", tmp_path / "out.jsonl")
    assert [row["label"] for row in read(tmp_path / "out.jsonl")] == GOLD


def test_a_file_that_is_not_of_this_input_is_never_replaced(teacher: Predictor, tmp_path: Path) -> None:
    source, target = write(tmp_path / "texts.jsonl"), tmp_path / "answers.jsonl"
    target.write_text("of yesterday")
    with pytest.raises(RunError, match="already exists; choose another --output, or delete it first"):
        predict_file(teacher, source, target)
    assert target.read_text() == "of yesterday"
    target.unlink()
    predict_file(teacher, source, target)
    made = target.read_text()
    write(source, TEXTS[:3])
    with pytest.raises(RunError, match=r"already exists, made with other .*; choose another --output"):
        predict_file(teacher, source, target)
    assert target.read_text() == made
    write(source)
    target.write_text(made + "a line of somebody's\n")
    with pytest.raises(RunError, match="already exists; choose another --output"):
        predict_file(teacher, source, target)


def test_a_finished_prediction_file_is_not_made_again(
    teacher: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = write(tmp_path / "texts.jsonl", [*TEXTS, ""]), tmp_path / "answers.jsonl"
    first = predict_file(teacher, source, target)

    def predicts(*_: object) -> None:
        raise AssertionError("predicted again")

    monkeypatch.setattr(Predictor, "chunk_outputs", predicts)
    again = predict_file(teacher, source, target)
    assert (again.num_rows, again.num_bad, again.bad_rows) == (first.num_rows, 1, first.bad_rows)
    assert f"{target} is finished already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "content", "part"),
    [
        ("none.jsonl", None, "no such file"),
        ("broken.jsonl", b'{"text": "a"\n', "line 1: not valid JSON"),
        ("latin.txt", b"na\xefve\n", "line 1: character 3 (byte 0xef) is not UTF-8"),
        ("broken.parquet", b"PAR1", "not a Parquet file"),
        ("ragged.csv", b"text,id\nso, so,2\n", "line 2: 3 fields where the header has 2"),
        ("splits.json", b'{"train": [{"text": "a"}]}', "holds splits"),
        ("texts.docx", b"", "cannot read .docx; allowed: .csv"),
        ("number.jsonl", b"3\n", "line 1: not an object"),
    ],
)
def test_a_file_that_cannot_be_read_is_said(
    teacher: Predictor, tmp_path: Path, name: str, content: bytes | None, part: str
) -> None:
    source = tmp_path / name
    if content is not None:
        source.write_bytes(content)
    with pytest.raises(DataError) as caught:
        predict_file(teacher, source, tmp_path / "out.jsonl")
    assert part in str(caught.value)
    assert str(source) in str(caught.value)
    assert not (tmp_path / "out.jsonl").exists()


def test_the_input_is_never_written_over(teacher: Predictor, tmp_path: Path) -> None:
    source = write(tmp_path / "texts.csv")
    before = source.read_bytes()
    with pytest.raises(DataError, match="is the input itself"):
        predict_file(teacher, source, source)
    assert source.read_bytes() == before


def test_an_unknown_kind_of_answer_file_is_refused_before_any_work(
    teacher: Predictor, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"cannot write \.xlsx; allowed: \.jsonl"):
        predict_file(teacher, write(tmp_path / "texts.txt"), tmp_path / "out.xlsx")


def test_an_prediction_file_in_a_folder_that_is_not_there_is_the_users_mistake(
    teacher: Predictor, tmp_path: Path
) -> None:
    with pytest.raises(RunError, match="cannot write"):
        predict_file(teacher, write(tmp_path / "texts.txt"), tmp_path / "none" / "out.jsonl")


def test_nothing_that_is_written_may_be_the_input(teacher: Predictor, tmp_path: Path) -> None:
    source = write(tmp_path / "r.jsonl.bad_rows.jsonl")
    before = source.read_bytes()
    with pytest.raises(DataError, match="is the input itself, or is kept beside it"):
        predict_file(teacher, source, tmp_path / "r.jsonl")
    assert source.read_bytes() == before


@pytest.mark.parametrize("lost", ["answers.jsonl.partial", "answers.jsonl.bad_rows.jsonl.partial", "state"])
def test_what_was_taken_away_between_two_calls_is_made_anew(
    teacher: Predictor, tiny_teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    monkeypatch.setattr(row_windows, "CHUNK_ROWS", 2)
    source, target = write(tmp_path / "texts.jsonl", [TEXTS[0], "", *TEXTS[1:]]), tmp_path / "answers.jsonl"
    with pytest.raises(KeyboardInterrupt):
        predict_file(Stopping(tiny_teacher), source, target)
    if lost == "state":
        (tmp_path / "answers.jsonl.partial.json").write_text("{}")
    else:
        (tmp_path / lost).unlink()
    predict_file(teacher, source, target)
    assert [row["text"] for row in read(target)] == TEXTS
    assert len(read(tmp_path / "answers.jsonl.bad_rows.jsonl")) == 1


def test_a_call_that_was_killed_after_its_last_word_is_done_again(teacher: Predictor, tmp_path: Path) -> None:
    source, target = write(tmp_path / "texts.jsonl"), tmp_path / "answers.jsonl"
    predict_file(teacher, source, target)
    whole = target.read_bytes()
    made_from = files._made_from(teacher, source)
    state = {"made_from": made_from, "num_read": 7, "num_bad": 0, "table": None}
    state |= {"num_bytes": len(whole), "num_bad_bytes": 0}
    (tmp_path / "answers.jsonl.partial.json").write_text(json.dumps(state))
    predict_file(teacher, source, target)
    assert target.read_bytes() == whole


def test_predictions_that_were_damaged_on_their_way_are_made_again(
    teacher: Predictor,
    tiny_teacher: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(row_windows, "CHUNK_ROWS", 2)
    source, target = write(tmp_path / "texts.jsonl"), tmp_path / "answers.jsonl"
    predict_file(teacher, source, tmp_path / "whole.jsonl")
    for damage in (flip, cut):
        with pytest.raises(KeyboardInterrupt):
            predict_file(Stopping(tiny_teacher), source, target)
        damage(tmp_path / "answers.jsonl.partial")
        predict_file(teacher, source, target)
        assert "answers.jsonl.partial: damaged (" in capsys.readouterr().err
        assert target.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
        target.unlink()


def test_answers_of_another_backend_or_config_are_not_mixed(
    tiny_teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_windows, "CHUNK_ROWS", 2)
    model = Path(shutil.copytree(tiny_teacher, tmp_path / "model"))
    source, target = write(tmp_path / "texts.jsonl"), tmp_path / "answers.jsonl"
    with pytest.raises(KeyboardInterrupt):
        predict_file(Stopping(model), source, target)
    for other in (Predictor(model, backend="torch-bf16"), Predictor(model, max_length=9)):
        with pytest.raises(
            RunError,
            match=r"an unfinished one with other (backend|max_length) is in",
        ):
            predict_file(other, source, target)
    config = model / "config.json"
    config.write_text(config.read_text().replace("positive", "POSITIVE"))
    with pytest.raises(RunError, match="an unfinished one with other files is in"):
        predict_file(Predictor(model), source, target)


def test_half_a_surrogate_pair_is_written_as_its_escape(teacher: Predictor, tmp_path: Path) -> None:
    source = tmp_path / "texts.jsonl"
    source.write_text('{"text": "good", "note": "\\ud800"}\n{"text": "bad \\ud800"}\n{"text": "bad"}\n')
    assert predict_file(teacher, source, tmp_path / "out.jsonl").num_bad == 1
    assert [row["text"] for row in read(tmp_path / "out.jsonl")] == ["good", "bad"]
    assert predict_file(teacher, source, tmp_path / "out.csv").num_bad == 1


def test_rows_of_another_form_are_set_aside(teacher: Predictor, tmp_path: Path) -> None:
    rows = [{"text": "bab", "text_pair": "good"}, {"text": "bab"}, {"text": "bab", "text_pair": 5}]
    source = easy.write_rows(tmp_path / "pairs.jsonl", [*rows, rows[0]])
    assert predict_file(teacher, source, tmp_path / "out.jsonl").num_bad == 2
    first, second = read(tmp_path / "out.jsonl.bad_rows.jsonl")
    assert (first["field"], first["why"]) == ("text_pair", "no text_pair, which the first row has")
    assert (second["field"], second["why"]) == ("text_pair", "5; give a text, a str with a visible character")


def test_a_table_numbers_rows_as_the_input_does(teacher: Predictor, tmp_path: Path) -> None:
    source = write(tmp_path / "texts.jsonl", [TEXTS[0], "", TEXTS[1]])
    predict_file(teacher, source, tmp_path / "out.csv")
    assert [row["row"] for row in read(tmp_path / "out.csv")] == ["1", "3"]
    assert read(tmp_path / "out.csv.bad_rows.jsonl")[0]["row"] == 2


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"made_from": 1, "table": null, "num_bytes": "9"}'])
def test_a_state_that_is_damaged_begins_anew(teacher: Predictor, tmp_path: Path, content: str) -> None:
    source, target = write(tmp_path / "texts.jsonl"), tmp_path / "answers.jsonl"
    (tmp_path / "answers.jsonl.partial").write_text("half")
    (tmp_path / "answers.jsonl.partial.json").write_text(content)
    predict_file(teacher, source, target)
    assert [row["text"] for row in read(target)] == TEXTS


def test_a_folder_is_no_file_of_answers(teacher: Predictor, tmp_path: Path) -> None:
    (tmp_path / "out.jsonl").mkdir()
    with pytest.raises(RunError, match="is a folder; give the predictions a file of their own"):
        predict_file(teacher, write(tmp_path / "texts.jsonl"), tmp_path / "out.jsonl")
