"""Distil a reader that answers questions: data sheets, written here, and what customers ask of them.

Run it with `.venv/bin/python examples/qa.py runs/qa`; a few minutes on two cores. Some questions have no
answer in their text; how sure "there is none" must be is chosen on the validation rows and kept with the
model. SQuAD files, 1.1 and 2.0, can be given as they are published.
"""

import random
import sys

from tinybert import distill, predict

DEVICES = {
    "train": ["Aero 5", "the Condor kettle", "Lumo", "the PX-200 drill", "Nordlys", "the Terra bike"],
    "validation": ["Velo X", "the Mira lamp", "the K-9 scale"],
    "test": ["Orbit 7", "the Falcon heater", "Siluro"],
}
# what a data sheet says, the part in brackets is the answer; and two ways to ask for it
FACTS = {
    "weight": ("It weighs [{n} {unit}] without its case.", "How much does it weigh?", "What is its weight?"),
    "battery": (
        "The battery lasts for [{n} hours] of use.",
        "How long does the battery last?",
        "How many hours?",
    ),
    "place": ("Every part of it is made in [{city}].", "Where is it made?", "Which city does it come from?"),
    "price": ("The shop sells it for [{n} euros].", "What does it cost?", "How expensive is it?"),
    "colour": ("You can have it in [{colour}] only.", "Which colour does it have?", "What colour is it?"),
    "maker": ("It was designed by [{person}].", "Who designed it?", "Who is the designer?"),
}
CITIES = ["Porto", "Linz", "Busan", "Leeds", "Pune", "Gdańsk", "Lyon", "Osaka"]
PEOPLE = ["Ida Berg", "Sam Okoro", "Lena Fuchs", "Wu Jing", "Ann Mora", "Raj Patel"]
COLOURS = ["dark green", "red", "pale blue", "black and white", "silver"]


def write(split: str, count: int) -> list[dict[str, object]]:
    """Return questions, data sheets and where the answers stand."""
    rng = random.Random(split)  # noqa: S311
    rows: list[dict[str, object]] = []
    for _ in range(count):
        told = rng.sample(list(FACTS), 4)
        context, spans = f"A few words about {rng.choice(DEVICES[split])}.", {}
        for key in told:
            values = {
                "n": rng.randint(2, 900),
                "unit": rng.choice(["grams", "kilograms"]),
                "city": rng.choice(CITIES),
                "person": rng.choice(PEOPLE),
                "colour": rng.choice(COLOURS),
            }
            before, answer, behind = FACTS[key][0].format(**values).replace("]", "[").split("[")
            context += " " + before
            spans[key] = {"text": answer, "answer_start": len(context)}
            context += answer + behind
        asked = rng.choice(list(FACTS))
        answers = [spans[asked]] if asked in spans else []
        rows.append({"question": rng.choice(FACTS[asked][1:]), "context": context, "answers": answers})
    return rows


def main(out: str) -> None:
    run = distill(
        {"train": write("train", 500), "validation": write("validation", 100), "test": write("test", 100)},
        "teacher.learning_rate=2e-4",  # so few rows make few steps: they must be longer ones
        "train.learning_rate=2e-4",
        "train.batch_size=16",
        teacher="bundled:minilm",
        student="4l-312d",
        task="qa",
        out=out,
    )
    for name in ("teacher", "fine_tune_only", "student"):
        scores = run.metrics[name]["test"]
        print(f"{name:<16} F1 {scores['f1']:.3f}, exact {scores['exact_match']:.3f}")

    context = "The Falcon heater is new. It was designed by Zoë Ångström. The shop sells it for 85 euros."
    for question in ("Who designed it?", "What does it cost?", "How long does the battery last?"):
        (found,) = predict(run, [(question, context)])
        place = "" if found.answer is None else f", characters {found.start}–{found.end}"
        print(f"{question:<32} {found.answer or 'no answer'} ({found.score:.0%}{place})")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "runs/qa")
