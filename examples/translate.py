"""Teach a small model to translate: numbers, times and dates, in English words, into German.

Run it with `.venv/bin/python examples/translate.py runs/translate`; four minutes on one quiet core. Nothing
is downloaded: the sentences are written here, the vocabulary is learnt from them, and the teacher begins with
random weights. German joins what English separates (dreihundertfünf), turns digits around (einundzwanzig)
and has the date before the time: the decoder must look at each word of the source when it needs it.
"""

import random
import sys
from pathlib import Path

from transformers import AutoTokenizer, BertConfig, BertModel, set_seed

from tinybert import distill, evaluate, finetune, predict, tokenizer

ONES = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
sixteen seventeen eighteen nineteen"""
TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
EINS = """null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn
sechzehn siebzehn achtzehn neunzehn"""
ZEHN = "zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig"
MONTHS = "January February March April May June July August September October November December"
MONATE = "Januar Februar März April Mai Juni Juli August September Oktober November Dezember"
ONES, TENS, EINS, ZEHN = ONES.split(), TENS.split(), EINS.split(), ZEHN.split()
MONTHS, MONATE = MONTHS.split(), MONATE.split()
RANKS = {1: ("first", "ersten"), 2: ("second", "zweiten"), 3: ("third", "dritten"), 5: ("fifth", "fünften")}
RANKS |= {7: ("seventh", "siebten"), 8: ("eighth", "achten"), 9: ("ninth", "neunten")}
RANKS |= {12: ("twelfth", "zwölften"), 20: ("twentieth", "zwanzigsten"), 30: ("thirtieth", "dreißigsten")}
DAYS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
# English, German, and 1 where German names the next hour: half past four is halb fünf
CLOCK = [
    ("{} o'clock", "{} Uhr", 0),
    ("five past {}", "fünf nach {}", 0),
    ("ten past {}", "zehn nach {}", 0),
    ("quarter past {}", "Viertel nach {}", 0),
    ("twenty past {}", "zwanzig nach {}", 0),
    ("twenty-five past {}", "fünf vor halb {}", 1),
    ("half past {}", "halb {}", 1),
    ("twenty-five to {}", "fünf nach halb {}", 0),
    ("twenty to {}", "zwanzig vor {}", 0),
    ("quarter to {}", "Viertel vor {}", 0),
    ("ten to {}", "zehn vor {}", 0),
    ("five to {}", "fünf vor {}", 0),
]
THINGS = [("chairs", "Stühle"), ("letters", "Briefe"), ("tickets", "Karten"), ("apples", "Äpfel")]
EVENTS = [
    ("the train leaves", "fährt der Zug"),
    ("the shop opens", "öffnet das Geschäft"),
    ("the concert begins", "beginnt das Konzert"),
    ("we meet", "treffen wir uns"),
]


def english(n: int) -> str:
    """Return a number from 0 to 9,999 in words."""
    if n < 20:
        return ONES[n]
    if n < 100:
        return TENS[n // 10 - 2] + (f"-{ONES[n % 10]}" if n % 10 else "")
    head, unit, rest = (n // 100, "hundred", n % 100) if n < 1000 else (n // 1000, "thousand", n % 1000)
    joint = " and " if rest < 100 else " "
    return f"{ONES[head]} {unit}" + (joint + english(rest) if rest else "")


def german(n: int, *, last: bool = True) -> str:
    """Return a number from 0 to 9,999 in words; `eins` is `ein` where more of the number follows."""
    if n < 20:
        return "ein" if n == 1 and not last else EINS[n]
    if n < 100:
        one = f"{german(n % 10, last=False)}und" if n % 10 else ""
        return one + ZEHN[n // 10 - 2]
    head, unit, rest = (n // 100, "hundert", n % 100) if n < 1000 else (n // 1000, "tausend", n % 1000)
    return german(head, last=False) + unit + (german(rest) if rest else "")


def rank(n: int) -> tuple[str, str]:
    """Return the day of a month in words; in German in the dative."""
    if n in RANKS:
        return RANKS[n]
    if n < 20:
        return f"{english(n)}th", f"{german(n)}ten"
    return f"{TENS[n // 10 - 2]}-{RANKS.get(n % 10, (f'{ONES[n % 10]}th',))[0]}", f"{german(n)}sten"


def number(rng: random.Random) -> tuple[str, str]:
    n = rng.choice([rng.randrange(1000), rng.randrange(10_000)])
    return english(n), german(n)


def amount(rng: random.Random) -> tuple[str, str]:
    n = rng.choice([n for n in range(2, 1000) if n % 100 != 1])
    thing, ding = rng.choice(THINGS)
    return f"there are {english(n)} {thing} left", f"es sind noch {german(n)} {ding} da"


def clock(rng: random.Random) -> tuple[str, str]:
    time, zeit, ahead = rng.choice(CLOCK)
    hour = rng.randint(1, 12)
    named = hour % 12 + 1 if ahead else hour
    return time.format(english(hour)), zeit.format(german(named, last=zeit != "{} Uhr"))


def date(rng: random.Random) -> tuple[str, str]:
    month = rng.randrange(12)
    day, tag = rank(rng.randint(1, DAYS[month]))
    return f"on the {day} of {MONTHS[month]}", f"am {tag} {MONATE[month]}"


def moment(rng: random.Random) -> tuple[str, str]:
    (time, zeit), (day, tag) = clock(rng), date(rng)
    return f"{time} {day}", f"{zeit} {tag}"


def event(rng: random.Random) -> tuple[str, str]:
    (time, zeit), (day, tag), (what, was) = clock(rng), date(rng), rng.choice(EVENTS)
    return f"{what} at {time} {day}", f"{tag} um {zeit} {was}"


KINDS = [number, amount, clock, date, moment, event]


def write(count: int) -> list[dict[str, str]]:
    """Return different pairs."""
    rng = random.Random(0)  # noqa: S311
    found: dict[str, str] = {}
    while len(found) < count:
        source, target = rng.choice(KINDS)(rng)
        found[source] = target
    return [{"source": source, "target": target} for source, target in found.items()]


def save_encoder(text: list[str], folder: Path) -> Path:
    """Save an encoder with random weights, and a vocabulary of both languages.

    German needs its capitals and its umlauts: cased.
    """
    pieces = tokenizer(text, "corpus.min_chars=1", vocab_size=400, cased=True, out=folder / "tokenizer").path
    reader = AutoTokenizer.from_pretrained(pieces)
    set_seed(0)
    size = {"hidden_size": 128, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 256}
    size |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    BertModel(BertConfig(vocab_size=len(reader), **size)).save_pretrained(folder / "encoder")
    reader.save_pretrained(folder / "encoder")
    return folder / "encoder"


def main(out: str, num_rows: int = 4000, *settings: str) -> None:
    folder, held_out, rows = Path(out), num_rows // 20, write(num_rows)
    data = {
        "validation": rows[:held_out],
        "test": rows[held_out : 2 * held_out],
        "train": rows[2 * held_out :],
    }
    encoder = save_encoder([row[side] for row in data["train"] for side in ("source", "target")], folder)
    how = ["generation.max_new_tokens=32", "generation.num_beams=2", "train.learning_rate=2e-3", *settings]
    teacher = finetune(  # a decoder of two layers is put beside the encoder
        data,
        "generation.num_decoder_layers=2",
        "train.num_epochs=8",
        *how,
        model=encoder,
        task="seq2seq",
        out=folder / "teacher",
    )
    student = distill(
        data,
        "student.intermediate_size=256",  # as the teacher's
        "train.num_epochs=6",
        *how,
        teacher=teacher.path,
        student="2-1l-128d",
        task="seq2seq",
        baseline=False,
        out=folder / "student",
    )
    for name, run in (("teacher", teacher), ("student", student)):
        texts = [written.text for written in predict(run, [row["source"] for row in data["test"]])]
        exact = sum(text == row["target"] for text, row in zip(texts, data["test"], strict=True))
        scores = evaluate(run, data)
        print(f"{name}: BLEU {scores['bleu']:.1f}, {exact / len(texts):.1%} are exactly right")
    for source in (
        "three hundred and five",
        "half past four on the second of May",
        "we meet at ten to one on the third of July",
    ):
        print(f"{source} → {predict(student, [source])[0].text}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "runs/translate")
