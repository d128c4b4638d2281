#!/usr/bin/env bash
# The examples that promise a result, each with its defaults: prints every result line, and fails unless each keeps what
# it promises and takes less than three minutes. For a machine that does nothing else.
#
#   tests/scripts/example_results.sh [NAME …]
set -euo pipefail
cd "$(dirname "$0")/../.."
LIMIT=180

# An example, then what must hold for its result line: a key, a comparison, and a number or another key.
table() {
    cat <<'TABLE'
seq2seq_addition  exact_match >= 0.95
char_rnn          bits_per_character < trigram_bits_per_character
TABLE
}

fail() { printf 'FAILED: %s\n' "$1" >&2; exit 1; }

# Whether a comparison holds for the last line of standard input. What is missing or no number fails.
holds() {
    awk -v left="$1" -v relation="$2" -v right="$3" '
        function number(text) { return text ~ /^-?[0-9]+(\.[0-9]+)?$/ }
        { delete figure; for (i = 2; i <= NF; i++) { split($i, pair, "="); figure[pair[1]] = pair[2] } }
        END {
            a = figure[left]; b = number(right) ? right : figure[right]
            if (!number(a) || !number(b)) exit 1
            if (relation == "<") exit !(a + 0 < b + 0)
            if (relation == ">=") exit !(a + 0 >= b + 0)
            exit 1
        }'
}

cargo build --release --quiet $(table | awk '{ print "--example", $1 }' | sort -u)
while read -r name left relation right; do
    if (($# > 0)) && [[ " $* " != *" $name "* ]]; then continue; fi
    # Conditions of one example share a run.
    if [[ $name != "${last:-}" ]]; then
        started=$SECONDS
        line=$("target/release/examples/$name" --quiet </dev/null | tail -n 1)
        took=$((SECONDS - started)) last=$name
        printf '%s\n' "$line"
        [[ $line == "result: example=$name "* ]] || fail "$name does not end with its result line"
        ((took < LIMIT)) || fail "$name took $took seconds, not less than $LIMIT"
    fi
    holds "$left" "$relation" "$right" <<<"$line" || fail "$name: not $left $relation $right"
done < <(table)
