#!/usr/bin/env bash
# What the examples promise: runs them, prints each result line and the time it took, and fails if a figure misses its
# bound or an example takes longer than three minutes (on two cores with nothing else to do).
#
#   tests/scripts/example_results.sh [EXAMPLE...]      all of them, or only these
set -euo pipefail
cd "$(dirname "$0")/../.."

SECONDS_BOUND=180
# example        figure         bound: a number, or another figure of the same line
BOUNDS='
adding_problem   lstm_100       < 0.01
adding_problem   lstm_200       < 0.01
adding_problem   lstm_400       < 0.01
adding_problem   gru_100        < 0.01
adding_problem   gru_200        < 0.01
adding_problem   gru_400        < 0.01
forecast         ratio          <= 0.8
stream           allocations    <= 0
stream           difference     <= 1e-6
seq2seq_addition exact_match    >= 0.95
char_rnn         bits_per_character < trigram_bits_per_character
'

fail() { printf 'FAILED: %s\n' "$1" >&2; failures=$((failures + 1)); }

# The value of a key in a result line.
figure() { sed -n "s/^result: .* $2=\([^ ]*\).*/\1/p" <<<"$1 "; }

# Whether a number keeps a bound. An empty figure or NaN does not, nor does anything keep an empty bound.
holds() {
    awk -v value="$1" -v sign="$2" -v bound="$3" '
        function number(text) { return text ~ /^-?[0-9]+(\.[0-9]+)?(e-?[0-9]+)?$/ }
        BEGIN {
            if (!number(value) || !number(bound)) exit 1
            if (sign == ">=") exit !(value + 0 >= bound + 0)
            exit !(value + 0 < bound + 0 || (sign == "<=" && value + 0 == bound + 0))
        }'
}

# Runs an example and checks its figures.
check() {
    local example=$1 started=$EPOCHREALTIME result seconds key sign bound value
    if ! result=$("target/release/examples/$example" --quiet | tail -n 1); then
        fail "$example ends with an error"
        return
    fi
    seconds=$(awk -v from="$started" -v to="$EPOCHREALTIME" 'BEGIN { printf "%.1f", to - from }')
    printf '%s\n%s: %s s\n' "$result" "$example" "$seconds"
    holds "$seconds" '<=' "$SECONDS_BOUND" || fail "$example takes $seconds s, more than $SECONDS_BOUND"
    while read -r key sign bound; do
        value=$(figure "$result" "$key")
        if [[ $bound == [a-z]* ]]; then bound=$(figure "$result" "$bound"); fi
        holds "$value" "$sign" "$bound" || fail "$example: $key is ${value:-not in the result}, but must be $sign $bound"
    done < <(awk -v example="$example" '$1 == example { print $2, $3, $4 }' <<<"$BOUNDS")
}

failures=0
mapfile -t known < <(awk 'NF && !seen[$1]++ { print $1 }' <<<"$BOUNDS")
examples=("${@:-${known[@]}}")
for example in "${examples[@]}"; do
    [[ " ${known[*]} " == *" $example "* ]] || { printf 'there are no bounds for %s\n' "$example" >&2; exit 2; }
done
cargo build --release --quiet "${examples[@]/#/--example=}"
for example in "${examples[@]}"; do check "$example"; done
((failures == 0)) || exit 1
printf 'all %s examples keep their bounds\n' "${#examples[@]}"
