#!/usr/bin/env bash
# The four IMDB experiments with seeds 1 to 5 on the real reviews: prints every result line, then for each experiment
# the mean, lowest and highest best validation loss and test accuracy.
#
#   BPTT_IMDB=imdb.npz tests/scripts/imdb_results.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
: "${BPTT_IMDB:?set BPTT_IMDB to the path of imdb.npz}"
cargo build --release --quiet --examples
results=$(mktemp)
trap 'rm -f "$results"' EXIT
for example in imdb_lstm imdb_lstm_dropout imdb_lstm_stacked imdb_gru; do
    for seed in 1 2 3 4 5; do
        "target/release/examples/$example" --data "$BPTT_IMDB" --seed "$seed" --quiet \
            --out "target/imdb_results/$example-$seed" | tail -n 1 | tee -a "$results"
    done
done
echo
echo "experiment | val_loss: min / mean / max | test_accuracy: min / mean / max"
awk '{
    for (i = 2; i <= NF; i++) { split($i, pair, "="); figure[pair[1]] = pair[2] }
    name = figure["experiment"]
    for (key in wanted) delete wanted[key]
    wanted["val_loss"]; wanted["test_accuracy"]
    for (key in wanted) {
        value = figure[key]; at = name SUBSEP key
        sum[at] += value
        if (!(at in low) || value < low[at]) low[at] = value
        if (!(at in high) || value > high[at]) high[at] = value
    }
    count[name]++
    if (count[name] == 1) order[++names] = name
}
END {
    for (i = 1; i <= names; i++) {
        name = order[i]
        loss = name SUBSEP "val_loss"; accuracy = name SUBSEP "test_accuracy"
        printf "%s | %.4f / %.4f / %.4f | %.4f / %.4f / %.4f\n", name, low[loss], sum[loss] / count[name], high[loss],
            low[accuracy], sum[accuracy] / count[name], high[accuracy]
    }
}' "$results"
