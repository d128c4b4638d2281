#!/usr/bin/env python3
"""Measures the crate beside its peers, on the same work, in turn, and writes a table of ratios.

    benches/peers/run.py                            # everything; takes long
    benches/peers/run.py --only epoch --only burn   # works and peers whose name holds this; may be given several times
    benches/peers/run.py --list                     # what there is

It makes a virtual environment of requirements.txt, builds the Rust programs, and lets every program prove that it does
the same work before anything is measured. Results: target/peers/table.md and target/peers/figures.json.

Needs Python 3.11 or newer, cargo, a C++ compiler (for torch.compile) and pip's package index.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import time
import tomllib

import table
import works

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TARGET = ROOT / "target" / "peers"
# How far figures that prove equal work may lie apart, as a part of ours. Losses are sums of 20,000 terms in single
# precision; gradients are squared.
TOLERANCE = {"sgd_loss": 1e-5, "sgd_loss_reset_before": 1e-5, "rmsprop_loss": 1e-2}
GRADIENT_TOLERANCE = 1e-3
# After a turn, so that threads that wait for more work in a loop have gone to sleep.
PAUSE = 0.3


def main():
    options = command_line()
    selected = select(options.only)
    if not selected:
        sys.exit(f"nothing matches {' '.join(options.only)}; --list shows what there is")
    if options.list:
        for peer, work in selected:
            print(f"{work:20} {peer.name}: {', '.join(peer.variants[work.split('/')[0]])}")
        return
    TARGET.mkdir(parents=True, exist_ok=True)
    python = environment(options.venv, any(not peer.is_rust for peer, _ in selected))
    binaries = build({peer.program for peer, _ in selected if peer.is_rust})
    files = write_files(binaries, options, sorted({work for _, work in selected}))
    start = Starter(python, binaries, files, options.threads)

    results = []
    ours = start.ours()
    for peer in works.PEERS:
        mine = [work for other, work in selected if other is peer]
        variants = [variant for kind in peer.variants.values() for variant in kind]
        running = {variant: None for variant in dict.fromkeys(variants)}
        for work in mine:
            results.append(compare(peer, work, ours, running, start, options))
            # After each work, for a run that is cut short.
            save(results, options, python)
        for program in running.values():
            if program:
                program.close()
    ours.close()
    print(f"\n{TARGET / 'table.md'}")


def command_line():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="for all (default: all)")
    parser.add_argument("--pairs", type=int, default=5, help="turns of each pair (default 5)")
    parser.add_argument("--seconds", type=float, default=1.0, help="the length of a turn; at least one run (default 1)")
    parser.add_argument("--only", action="append", default=[], help="works and peers whose name holds this")
    parser.add_argument("--data", type=pathlib.Path, help="Keras' imdb.npz (default: a made-up corpus of its shape)")
    parser.add_argument("--reviews", type=int, default=20_000, help="reviews to train on (default 20000)")
    venv = pathlib.Path(os.environ.get("PEERS_VENV", TARGET / "venv"))
    parser.add_argument("--venv", type=pathlib.Path, default=venv, help="the environment (default: $PEERS_VENV or in target/)")
    parser.add_argument("--list", action="store_true", help="only show what would run")
    options = parser.parse_args()
    if options.pairs < 1 or options.threads < 1 or options.reviews < 1:
        parser.error("--pairs, --threads and --reviews are at least 1")
    if options.data and not options.data.is_file():
        parser.error(f"there is no file {options.data}")
    return options


def select(only):
    """The pairs of a peer and a work that the filters leave: a filter that is part of a work's name is one for works, any
    other one for peers; one of each kind is enough."""
    of_works = [part for part in only if any(part.lower() in work for work in works.WORKS)]
    of_peers = [part for part in only if part not in of_works]
    return [
        (peer, work)
        for peer in works.PEERS
        for work in works.WORKS
        if work.split("/")[0] in peer.variants
        and (not of_works or any(part.lower() in work for part in of_works))
        and (not of_peers or any(part.lower() in peer.name.lower() for part in of_peers))
    ]


def say(text):
    print(text, file=sys.stderr, flush=True)


def environment(venv, needed):
    """Makes the virtual environment, unless it is there; returns its interpreter."""
    python = venv / "bin" / "python"
    requirements = HERE / "requirements.txt"
    # Names what was installed, so that a changed list is installed again.
    stamp = venv / "peers-requirements.txt"
    if needed and not (stamp.is_file() and stamp.read_text() == requirements.read_text()):
        say(f"installing {requirements} into {venv}")
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--requirement", requirements], check=True)
        stamp.write_text(requirements.read_text())
    return python


def build(packages):
    """Builds our program and these peers, each alone; returns a folder of binaries for each variant of flags."""
    folders = {}
    for number, (variant, flags) in enumerate(works.RUST_FLAGS.items()):
        folder = TARGET / f"build-{number}"
        folders[variant] = folder / "release"
        # Ours is built as its users build it.
        for package in sorted(packages | ({"ours"} if not flags else set())):
            say(f"building {package} with {variant}")
            command = ["cargo", "build", "--release", "--quiet", "--package", package, "--target-dir", folder]
            # No flags of the caller's: figures are to be those that the table's head names.
            variables = {**os.environ, "RUSTFLAGS": flags}
            subprocess.run(command, cwd=HERE / "rust", env=variables, check=True)
    return folders


def write_files(binaries, options, names):
    """Has our program write data and weights for all."""
    files = TARGET / "files"
    command = [binaries["default flags"] / "ours", "write", "--files", files, "--reviews", str(options.reviews)]
    if options.data:
        command += ["--data", options.data]
    subprocess.run([*command, *names], check=True)
    return files


class Starter:
    """Starts programs, all with the same cores and threads."""

    def __init__(self, python, binaries, files, threads):
        self.python, self.binaries, self.files, self.threads = python, binaries, files, threads
        self.cores = sorted(os.sched_getaffinity(0))[:threads]

    def ours(self):
        return self._start("ours", [self.binaries["default flags"] / "ours", "serve"])

    def peer(self, peer, variant):
        if peer.is_rust:
            return self._start(f"{peer.name} ({variant})", [self.binaries[variant] / peer.program])
        script = HERE / "python" / peer.program
        return self._start(f"{peer.name} ({variant})", [self.python, script, "--variant", variant], peer.backend)

    def _start(self, name, command, backend=""):
        command = [*command, "--threads", str(self.threads), "--files", self.files]
        threads = str(self.threads)
        # Settings for other programs' libraries must not slow a peer.
        variables = {key: value for key, value in os.environ.items() if not key.startswith("OPENBLAS_")}
        variables |= {
            "KERAS_BACKEND": backend,
            "JAX_PLATFORMS": "cpu",
            "TF_CPP_MIN_LOG_LEVEL": "2",
            "TF_NUM_INTRAOP_THREADS": threads,
            "OMP_NUM_THREADS": threads,
            "MKL_NUM_THREADS": threads,
            "RAYON_NUM_THREADS": threads,
        }
        if not backend:
            del variables["KERAS_BACKEND"]
        # XLA takes its number of threads from the cores that it may run on.
        return Program(name, command, variables, lambda: os.sched_setaffinity(0, self.cores))


class Program:
    """A running program that is told what to do, see rust/harness."""

    def __init__(self, name, command, variables, prepare_process):
        self.name = name
        self.log = TARGET / "logs" / f"{name.replace(' ', '_').replace('/', '_')}.txt"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=variables,
                preexec_fn=prepare_process,
                text=True,
            )
        self.work = None

    def prepare(self, work):
        """The answer to a work: checks and a note, or why it cannot. Asked once as long as the work stays the same."""
        if self.work != work:
            self.answer = self._ask(f"prepare {work}")
            self.work = work
        return self.answer

    def measure(self, seconds):
        time.sleep(PAUSE)
        return self._ask(f"measure {seconds}")

    def _ask(self, command):
        try:
            self.process.stdin.write(command + "\n")
            self.process.stdin.flush()
            # Libraries print to standard output too.
            for line in self.process.stdout:
                if line.startswith("reply "):
                    return json.loads(line.removeprefix("reply "))
        except BrokenPipeError:
            pass
        return {"error": f"{self.name} ended with status {self.process.wait()}, see {self.log}"}

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def compare(peer, work, ours, running, start, options):
    """Proves equal work, takes the fastest variant, and measures in turn."""
    kind = work.split("/")[0]
    say(f"\n{work}: {peer.name}")
    result = {"work": work, "peer": peer.name, "failed": {}}
    our_answer = ours.prepare(work)
    if "error" in our_answer:
        sys.exit(our_answer["error"])
    trials = {}
    for variant in peer.variants[kind]:
        if running[variant] is None:
            running[variant] = start.peer(peer, variant)
        program = running[variant]
        answer = program.prepare(work)
        if "cannot" in answer:
            return {**result, "cannot": answer["cannot"]}
        first = answer if "error" in answer else program.measure(0.0 if kind == "epoch" else options.seconds / 2)
        if "error" in first:
            say(f"  {variant}: {first['error']}")
            result["failed"][variant] = first["error"]
            # It may have ended; the next work starts it anew.
            program.close()
            running[variant] = None
            continue
        trials[variant] = first["seconds"]
        say(f"  {variant}: {first['seconds']:.3g} s, {checks_text(answer['checks'], our_answer.get('checks', {}))}")
    if not trials:
        return result
    variant = min(trials, key=trials.get)
    program = running[variant]
    answer = program.prepare(work)
    result |= {"variant": variant, "trials": trials, "note": answer["note"]}
    result |= {"checks": answer["checks"], "our_checks": our_answer.get("checks", {})}
    result["equal"] = equal(result)
    result["ours"], result["theirs"] = [], []
    for _ in range(options.pairs):
        if "cannot" not in our_answer:
            result["ours"].append(seconds_of(ours, options))
        result["theirs"].append(seconds_of(program, options))
        if result["ours"]:
            say(f"  ours {result['ours'][-1]:.4g} s, {peer.name} {result['theirs'][-1]:.4g} s")
    if result["ours"]:
        say(f"  ratio {statistics.median(table.ratios(result)):.2f}")
    return result


def seconds_of(program, options):
    reply = program.measure(options.seconds)
    if "error" in reply:
        sys.exit(f"{program.name}: {reply['error']}")
    return reply["seconds"]


def checks_text(checks, ours):
    parts = [f"{name} {value:.7g} (ours {ours.get(name, float('nan')):.7g})" for name, value in checks.items()]
    return ", ".join(parts) or "no figures to compare"


def equal(result):
    """Whether the figures that must agree do; None where none must: dropout draws differ between libraries."""
    if result["work"] in ("epoch/dropout", "epoch/stacked"):
        return None
    outcome = None
    for name, value in result["checks"].items():
        ours = result["our_checks"].get(name)
        if ours is None:
            continue
        far = abs(value - ours) > TOLERANCE.get(name, GRADIENT_TOLERANCE) * abs(ours)
        if far:
            say(f"  NOT EQUAL: {name} {value} and ours {ours}")
        outcome = outcome is not False and not far
    return outcome


def save(results, options, python):
    figures = {
        "date": datetime.date.today().isoformat(),
        "cpu": processor(),
        "system": platform.platform(),
        "threads": options.threads,
        "pairs": options.pairs,
        "seconds": options.seconds,
        "reviews": options.reviews,
        "data": "the IMDB reviews" if options.data else "a made-up corpus of their shape",
        "commit": output(["git", "-C", ROOT, "describe", "--always", "--dirty"]),
        "versions": versions(python),
        "results": results,
    }
    (TARGET / "figures.json").write_text(json.dumps(figures, indent=1))
    (TARGET / "table.md").write_text(table.markdown(figures))


def output(command):
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def processor():
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    flags = next((line for line in lines if line.startswith("flags")), "")
    sets = [title for flag, title in (("avx512f", "AVX-512"), ("avx2", "AVX2")) if f" {flag} " in flags + " "]
    return f"{name} with {sets[0] if sets else 'neither AVX2 nor AVX-512'}"


def versions(python):
    """Of the pinned packages, of the crates in the lock file, of the compiler."""
    found = {"rustc": output(["rustc", "--version"]).removeprefix("rustc ")}
    lock = tomllib.loads((HERE / "rust" / "Cargo.lock").read_text())
    crates = {package["name"]: package["version"] for package in lock["package"]}
    found |= {name: crates[name] for name in ("bptt", "burn", "candle-core", "rust-lstm", "rustyml")}
    for line in (HERE / "requirements.txt").read_text().splitlines():
        if "==" in line:
            name, version = line.split("==")
            found[name] = version
    found["python"] = output([python, "--version"]).removeprefix("Python ") or platform.python_version()
    return found


if __name__ == "__main__":
    main()
