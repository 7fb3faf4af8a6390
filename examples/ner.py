"""Distil a tagger of named entities: messages to a travel agency, written here, and a student for them.

Run it with `.venv/bin/python examples/ner.py runs/ner`; about two minutes on two cores. The test messages
name people, cities and companies that no training message names. A row is a text with the characters of its
entities; rows of `tokens` and `tags`, CoNLL files and exports of Label Studio or spaCy do as well.
"""

import random
import sys

from tinybert import distill, predict

NAMES = {
    "train": {
        "PERSON": [
            "Anna Keller",
            "Li Wei",
            "Omar Haddad",
            "Grace O'Neill",
            "Paul Novak",
            "Mei Lin",
            "Jean Roux",
        ],
        "CITY": ["Lisbon", "Oslo", "New Delhi", "Cairo", "Boston", "Graz", "Kyoto", "San José", "Lagos"],
        "COMPANY": ["Northern Air", "Blue Rail", "Hotel Meridian", "CarGo", "Sunline Ferries", "Atlas Tours"],
    },
    "validation": {
        "PERSON": ["Tom Berger", "Aisha Khan", "Chen Yu", "Eva Lund"],
        "CITY": ["Madrid", "Hanoi", "Cape Town", "Riga"],
        "COMPANY": ["Polar Airways", "Hotel Astoria", "Coast Rail"],
    },
    "test": {
        "PERSON": ["Maria Fontana", "John Adeyemi", "Yuki Sato", "Karl-Heinz Wolf"],
        "CITY": ["Vienna", "São Paulo", "Seoul", "Porto", "Salt Lake City"],
        "COMPANY": ["Island Air", "Hotel Bellevue", "Metro Cars", "Green Rail"],
    },
}
MESSAGES = [
    "Hello, my name is {PERSON} and my flight with {COMPANY} from {CITY} to {CITY} was cancelled.",
    "{COMPANY} lost my suitcase in {CITY}. Who can help me?",
    "Please move the booking of {PERSON} at {COMPANY} to next Tuesday.",
    "Is there a train from {CITY} to {CITY} with {COMPANY} on 3 May?",
    "{PERSON} has not yet paid for the room in {CITY}.",
    "I would like to thank {PERSON} from your office in {CITY}.",
    "How much is the trip now?",
    "We waited two hours at the station; {COMPANY} never called back.",
    "Could {PERSON} pick up the tickets for {CITY} instead of me?",
]


def write(split: str, count: int) -> list[dict[str, object]]:
    """Return messages with the characters of their entities."""
    rng = random.Random(split)  # noqa: S311
    rows: list[dict[str, object]] = []
    for _ in range(count):
        text, spans = "", []
        for number, part in enumerate(rng.choice(MESSAGES).replace("}", "{").split("{")):
            if number % 2:  # an odd part stood in braces
                name = rng.choice(NAMES[split][part])
                spans.append({"start": len(text), "end": len(text) + len(name), "label": part})
                part = name
            text += part
        rows.append({"text": text, "spans": spans})
    return rows


def main(out: str) -> None:
    run = distill(
        {"train": write("train", 1000), "validation": write("validation", 100), "test": write("test", 100)},
        "teacher.learning_rate=2e-4",  # so few rows make few steps: they must be longer ones
        "train.learning_rate=2e-4",
        "train.batch_size=16",
        "data.max_leakage=1",  # so few patterns: a message without names may well come twice
        teacher="bundled:minilm",
        student="4l-312d",
        task="ner",
        out=out,
    )
    for name in ("teacher", "fine_tune_only", "student"):
        scores = run.metrics[name]["test"]
        by_type = ", ".join(f"{kind} {scores[f'f1/{kind}']:.2f}" for kind in ("CITY", "COMPANY", "PERSON"))
        print(f"{name:<16} F1 {scores['f1']:.3f}  ({by_type})")

    text = "Dear  team,  Maria Fontana missed the Island Air flight to São Paulo 😀"
    for entity in predict(run, [text])[0].entities:
        assert entity.text == text[entity.start : entity.end]
        print(f"{entity.label:<8} {entity.start:>3}–{entity.end:<3} {entity.text}  {entity.score:.0%}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "runs/ner")
