from __future__ import annotations

import csv
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests import easy

from tinybert.errors import DataError, RecipeError
from tinybert.predict import Predictor, files
from tinybert.predict.files import predict_file, rows_of_words

ROWS = easy.make_rows(7, seed=6)
TEXTS = [str(row["text"]) for row in ROWS]
GOLD = [row["label"] for row in ROWS]


COLUMN_FILES = (".conll", ".bio", ".iob", ".iob2")  # of tokens, for named entities


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


def test_an_empty_text_is_named_by_its_row_and_no_file_is_left_that_looks_whole(
    teacher: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "CHUNK_ROWS", 3)
    source = write(tmp_path / "texts.jsonl", [*TEXTS[:4], " ", *TEXTS[4:], ""])
    target = tmp_path / "answers.jsonl"
    with pytest.raises(DataError, match=r"texts\.jsonl: line 5, text: ' '; give a text that is not empty"):
        predict_file(teacher, source, target)
    assert [path.name for path in tmp_path.iterdir()] == ["texts.jsonl"]


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_a_missing_column_is_said_with_those_there_are(
    teacher: Predictor, tmp_path: Path, suffix: str
) -> None:
    with pytest.raises(DataError, match=r"no field 'text' or 'sentence' .*it has: remark, id"):
        predict_file(teacher, write(tmp_path / f"texts{suffix}", column="remark"), tmp_path / "out.jsonl")


def test_an_existing_answer_file_survives_a_mistake(teacher: Predictor, tmp_path: Path) -> None:
    target = tmp_path / "answers.jsonl"
    target.write_text("of yesterday")
    with pytest.raises(DataError):
        predict_file(teacher, write(tmp_path / "texts.jsonl", [""]), target)
    assert target.read_text() == "of yesterday"


@pytest.mark.parametrize(
    ("name", "content", "part"),
    [
        ("none.jsonl", None, "no such file"),
        ("broken.jsonl", b'{"text": "a"\n', "line 1: not valid JSON"),
        ("latin.txt", b"good\nna\xefve\n", "line 2, byte 3 (0xef): the file is not UTF-8"),
        ("broken.parquet", b"PAR1", "not a Parquet file"),
        ("ragged.csv", b"text,id\ngood,1\nso, so,2\n", "line 3: 3 fields where the header has 2"),
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


def test_an_answer_file_in_a_folder_that_is_not_there_is_the_users_mistake(
    teacher: Predictor, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="cannot write"):
        predict_file(teacher, write(tmp_path / "texts.txt"), tmp_path / "none" / "out.jsonl")


def test_either_words_or_a_file() -> None:
    assert rows_of_words(["a"], text_pair=None, has_file=False) == ["a"]
    assert rows_of_words(["a"], text_pair="b", has_file=False) == [("a", "b")]
    assert rows_of_words([], text_pair=None, has_file=True) == []
    for texts, has_file in (([], False), (["a"], True)):
        with pytest.raises(RecipeError, match="either texts or --input FILE"):
            rows_of_words(texts, text_pair=None, has_file=has_file)
