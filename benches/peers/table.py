"""The Markdown table of the figures that `run.py` found: `table.py figures.json` writes it to standard output."""

import json
import pathlib
import statistics
import sys

import works


def ratios(result):
    """Their time over ours, turn by turn."""
    return [theirs / ours for ours, theirs in zip(result["ours"], result["theirs"])]


def markdown(figures):
    versions = ", ".join(f"{name} {version}" for name, version in figures["versions"].items())
    lines = [
        f"Measured on {figures['date']} at {figures['commit']}: {figures['cpu']}, {figures['threads']} threads, "
        f"{figures['system']}.",
        "",
        f"Versions: {versions}.",
        "",
        f"Ratios are their time over ours: above 1 the crate is faster. Median of {figures['pairs']} turns and, in "
        f"brackets, the lowest and highest; a turn is the median of what fits into {figures['seconds']:g} s. The crate "
        "is built with default flags; of a peer's variants the fastest was taken.",
        "",
        *epochs(figures),
        *training(figures),
        *streaming(figures),
    ]
    return "\n".join(lines) + "\n"


def of_kind(figures, kind):
    return [result for result in figures["results"] if result["work"].split("/")[0] == kind]


def by_work(results):
    """Results in the order of the works, whatever order they were measured in."""
    return sorted(results, key=lambda result: works.WORKS.index(result["work"]))


def epochs(figures):
    results = by_work(of_kind(figures, "epoch"))
    if not results:
        return []
    count, data = figures["reviews"], figures["data"]
    lines = [
        "### An epoch of training",
        "",
        f"Embedding(500, 16), the layers named, Dense(1, sigmoid); {count:,} reviews of 100 tokens ({data}), batches of "
        f"{works.BATCH}, RMSprop, no validation. The losses prove equal work: of an epoch of plain gradient descent from "
        "the same weights, and of one of RMSprop, whose epsilon stands inside the root in ours and in Keras and outside "
        "in others. Dropout draws its own masks in each library.",
        "",
        "| layers | peer | run as | ours | theirs | ratio | SGD loss: theirs, ours | RMSprop loss: theirs, ours | |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for result in results:
        layers = works.EXPERIMENTS[result["work"].split("/")[1]]
        lines.append(row([layers, result["peer"], *timing(result), *(loss(result, key) for key in LOSSES), remark(result)]))
    return [*lines, ""]


# Figures of the columns of losses; the first that a peer has counts.
LOSSES = (("sgd_loss", "sgd_loss_reset_before"), ("rmsprop_loss",))


def loss(result, keys):
    for key in keys:
        if key in result.get("checks", {}):
            return f"{result['checks'][key]:.6f}, {result['our_checks'][key]:.6f}"
    return ""


def training(figures):
    results = by_work(of_kind(figures, "train"))
    products = of_kind(figures, "product")
    if not results and not products:
        return []
    lines = ["### A training step of a layer", ""]
    peak = None
    if products:
        rates = {result["peer"]: gflops(result["work"], result["theirs"]) for result in products if result.get("theirs")}
        peak = max(rates.values())
        size = works.PRODUCT
        listed = ", ".join(f"{peer} {rate:.0f}" for peer, rate in rates.items())
        lines += [f"A {size}×{size} product of single precision, GFLOP/s: {listed}.", ""]
    if not results:
        return lines
    lines += [
        f"Forward and backward pass with the gradient of the inputs, no optimizer; batch {works.BATCH}, inputs as wide as "
        "the state. GFLOP/s count the products alone: 3·2·(D+H)·N·H·B·T operations.",
        "",
        "| layer | H | T | peer | run as | ours | theirs | ratio | GFLOP/s: ours, theirs | ours, of the best product | |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for result in results:
        _, cell, units = result["work"].split("/")
        cells = [works.CELL_NAMES[cell], units, str(works.steps(int(units))), result["peer"], *timing(result)]
        if result.get("ours"):
            ours, theirs = (gflops(result["work"], result[side]) for side in ("ours", "theirs"))
            cells += [f"{ours:.1f}, {theirs:.1f}", f"{100 * ours / peak:.0f}%" if peak else ""]
        else:
            cells += ["", ""]
        lines.append(row([*cells, remark(result)]))
    return [*lines, ""]


def gflops(work, seconds):
    return works.operations(work) / statistics.median(seconds) / 1e9


def streaming(figures):
    results = by_work(of_kind(figures, "stream"))
    if not results:
        return []
    lines = [
        "### A streaming step",
        "",
        "One time step of one sample, inputs as wide as the state, the state fed back. The steps of PyTorch and ONNX "
        "Runtime are called from Python; for small layers most of ONNX Runtime's is that call.",
        "",
        "| layer | H | peer | run as | ours | theirs | ratio | weights read by ours, GB/s | |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for result in results:
        _, cell, units = result["work"].split("/")
        bandwidth = ""
        if result.get("ours"):
            # Both kernels, four bytes a number.
            size = 4 * 2 * int(units) * works.CELLS[cell] * int(units)
            bandwidth = f"{size / statistics.median(result['ours']) / 1e9:.1f}"
        cells = [works.CELL_NAMES[cell], units, result["peer"], *timing(result), bandwidth]
        lines.append(row([*cells, remark(result)]))
    return [*lines, ""]


def timing(result):
    """How it was run, both times and the ratio."""
    if "cannot" in result:
        return ["", "", "", "cannot express"]
    if not result.get("ours"):
        return ["", "", "", "failed"]
    found = ratios(result)
    spread = f"{statistics.median(found):.2f} ({min(found):.2f}–{max(found):.2f})"
    return [result["variant"], *(duration(statistics.median(result[side])) for side in ("ours", "theirs")), spread]


def duration(seconds):
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def remark(result):
    parts = [result.get("cannot", ""), result.get("note", "")]
    parts += [f"{variant} failed: {error}" for variant, error in result["failed"].items()]
    if result.get("equal") is False:
        parts.append("**the work is not equal**")
    return "; ".join(part for part in parts if part)


def row(cells):
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    print(markdown(json.loads(pathlib.Path(sys.argv[1]).read_text())), end="")
