"""Rows of entities in the formats of other programs: Label Studio, spaCy, Doccano, Prodigy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import cast

from tinybert.data.fields import FieldError, is_of_prodigy, objects_in
from tinybert.data.row_format import Converter, Record
from tinybert.sources.text_files import Fault, RawRow
from tinybert.tasks.ner.schemes import OUTSIDE


def label_studio(raw: Record, number: int) -> Iterable[RawRow] | None:
    """Read one task of Label Studio's JSON export.

    Raises:
        FieldError: Its result is none of labels on one text.
    """
    data = raw.get("data")
    if not isinstance(data, Mapping) or "annotations" not in raw:
        return None
    given = {"text": _studio_text(cast(Record, data)), "spans": _studio_spans(raw)}
    return [(number, {"id": raw["id"], **given} if "id" in raw else given)]


def _studio_text(data: Mapping[str, object]) -> object:
    texts = [value for value in data.values() if isinstance(value, str)]
    return data.get("text", texts[0] if len(texts) == 1 else None)


def _studio_spans(raw: Mapping[str, object]) -> list[object] | None:
    """Return the spans of the first annotation that was not cancelled; None where nobody annotated."""
    given = objects_in(raw, "annotations") if raw["annotations"] is not None else []
    kept = [each for each in given if not each.get("was_cancelled")]
    if not kept:
        return None
    spans: list[object] = []
    texts: set[object] = set()
    for result in objects_in(kept[0], "result"):
        value = result.get("value")
        keys = list(cast(Mapping[str, object], value)) if isinstance(value, Mapping) else []
        if other := [key for key in keys if key.endswith("labels") and key != "labels"]:
            raise FieldError(
                "result", f"holds {', '.join(other)}; read are the labels of plain text (Labels on Text)"
            )
        if "labels" in keys:
            spans.append(value)
            texts.add(result.get("to_name"))
    if len(texts) > 1:
        names = ", ".join(sorted(map(str, texts)))
        raise FieldError("result", f"labels several texts of the task ({names}); export one")
    return spans


def spacy_document(raw: Record, number: int) -> Iterable[RawRow] | None:
    """Read ``Doc.to_json`` of spaCy."""
    if not isinstance(raw.get("text"), str) or "ents" not in raw:
        return None
    return [(number, {"text": raw["text"], "spans": raw["ents"]})]


def spacy_pair(raw: Record, number: int) -> Iterable[RawRow] | None:
    """Read spaCy's older pairs, ``["text", {"entities": [[0, 5, "PER"]]}]``."""
    pair = raw.get("")
    if isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str) and isinstance(pair[1], dict):
        return [(number, {"text": pair[0], "spans": pair[1].get("entities")})]
    return None


def spacy_paragraphs(raw: Record, number: int) -> Iterable[RawRow | Fault] | None:
    """Read the sentences of spaCy's training format.

    Raises:
        FieldError: The paragraphs hold questions, or are malformed.
    """
    if not isinstance(raw.get("paragraphs"), list):
        return None
    paragraphs = objects_in(raw, "paragraphs")
    if any("qas" in paragraph for paragraph in paragraphs):
        raise FieldError("paragraphs", "holds questions and answers, which --task qa reads")
    return _sentences(paragraphs, number)


def _sentences(paragraphs: Iterable[Record], number: int) -> Iterator[RawRow | Fault]:
    for index, paragraph in enumerate(paragraphs, start=1):
        try:
            sentences = objects_in(paragraph, "sentences") if paragraph else []
            spelled = [objects_in(sentence, "tokens") for sentence in sentences]
        except FieldError as error:
            yield Fault(number, f"paragraph {index}, {error.field}: {error}", {"": paragraph})
            continue
        for tokens in spelled:
            tags = [token.get("ner", OUTSIDE) for token in tokens]
            yield number, {"tokens": [token.get("orth") for token in tokens], "tags": tags}


def doccano(raw: Record, number: int) -> Iterable[RawRow] | None:
    """Read a row of Doccano's JSON lines, without its relations and comments."""
    if not isinstance(raw.get("text"), str) or not {"entities", "relations"} <= set(raw):
        return None
    given = {"text": raw["text"], "spans": raw["entities"]}
    return [(number, {"id": raw["id"], **given} if "id" in raw else given)]


def prodigy(raw: Record, number: int) -> Iterable[RawRow] | None:
    """Read a row of Prodigy by its spans; its tokens are objects."""
    if not isinstance(raw.get("text"), str) or "spans" not in raw or not is_of_prodigy(raw):
        return None
    return [(number, {"text": raw["text"], "spans": raw["spans"]})]


CONVERTERS: Mapping[str, Converter] = {
    "spacy_paragraphs": spacy_paragraphs,
    "label_studio": label_studio,
    "spacy_document": spacy_document,
    "spacy_pair": spacy_pair,
    "doccano": doccano,
    "prodigy": prodigy,
}
