#!/usr/bin/env bash
# Memory stays flat: the example `resumable` trains for 200 epochs with metrics, validation, checkpoints, a log file and
# backups, and the most memory that it ever took after epoch 200 is within 2 % of that after epoch 5. Linux only.
#
#   tests/scripts/long_run.sh [EPOCHS]    (half a minute)
set -euo pipefail
cd "$(dirname "$0")/../.."
epochs=${1:-200}
cargo build --release --quiet --example resumable
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
fail() { printf 'FAILED: %s\n' "$1" >&2; exit 1; }

target/release/examples/resumable --out "$folder" --epochs "$epochs" --patience "$epochs" >"$folder/stdout" 2>/dev/null &
process=$!
early='' late=''
while peak=$(awk '/^VmHWM/ { print $2 }' "/proc/$process/status" 2>/dev/null) && [[ -n $peak ]]; do
    late=$peak
    # A line of names, then one for each epoch.
    if [[ -z $early && -f $folder/training.csv ]] && (($(wc -l <"$folder/training.csv") >= 6)); then early=$peak; fi
    sleep 0.02
done
wait "$process"
grep -q "result: epochs=$epochs " "$folder/stdout" || fail "it did not run for $epochs epochs"
printf 'peak after epoch 5: %s KiB, after epoch %s: %s KiB\n' "$early" "$epochs" "$late"
awk -v early="$early" -v late="$late" 'BEGIN { exit !(early > 0 && late <= 1.02 * early) }' || fail 'memory grows'
