#!/usr/bin/env bash
# Kills the example `resumable` with SIGKILL at random moments, in the middle of writing files too, and starts it again:
# each time it must go on from a whole file, and whenever it gets to its end, its results must be those of a training that
# was never killed, to the bit.
#
#   tests/scripts/kill_and_resume.sh [KILLS] [SEED]    (200 and 1 by default; some five minutes)
set -euo pipefail
cd "$(dirname "$0")/../.."
kills=${1:-200}
RANDOM=${2:-1}
cargo build --release --quiet --example resumable
program=target/release/examples/resumable
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
fail() { printf 'FAILED: %s\n' "$1" >&2; exit 1; }

# Files that must be equal in the end, whatever happened.
same() {
    local file
    for file in best.safetensors final.safetensors training.csv; do
        cmp "$folder/whole/$file" "$folder/parts/$file" || fail "$file differs after $killed kills"
    done
    if compgen -G "$folder/parts/.*.part" >/dev/null; then fail 'half a file is left over'; fi
}

started=$(date +%s%N)
"$program" --out "$folder/whole" 2>/dev/null
took=$((($(date +%s%N) - started) / 1000000))
printf 'without interruption it takes %s ms\n' "$took"

killed=0 finished=0 resumed=0 while_writing=0
while ((killed < kills)); do
    "$program" --out "$folder/parts" >"$folder/stdout" 2>"$folder/stderr" &
    process=$!
    # From its very start to a quarter of the whole.
    sleep "$(awk -v ms=$((RANDOM % (took / 4 + 50))) 'BEGIN { print ms / 1000 }')"
    kill -KILL "$process" 2>/dev/null || true
    status=0
    wait "$process" 2>/dev/null || status=$?
    if grep -q 'training goes on from' "$folder/stderr"; then resumed=$((resumed + 1)); fi
    if compgen -G "$folder/parts/.*.part" >/dev/null; then while_writing=$((while_writing + 1)); fi
    case $status in
    0)
        finished=$((finished + 1))
        same
        rm -rf "$folder/parts"
        ;;
    137) killed=$((killed + 1)) ;;
    *) cat "$folder/stderr" >&2; fail "it ends with status $status after $killed kills" ;;
    esac
done
"$program" --out "$folder/parts" >/dev/null 2>"$folder/stderr" || { cat "$folder/stderr" >&2; fail 'it does not go on'; }
same
printf '%s kills, %s of them while a file was being written; %s starts went on from a backup, %s trainings got to their end \
and were equal to the bit\n' "$killed" "$while_writing" "$resumed" "$((finished + 1))"
((resumed > kills / 4)) || fail 'too few starts went on from a backup to tell'
