#!/usr/bin/env python3
"""Runs a random sample of mutants of src/recurrent and src/kernels against a fast suite: see README.md.

    tests/mutation/run.py [--seed N] [--count N]

Fails if less than 95 percent of those that compile are caught, or if one that is not has no reason in survivors.md.

Needs Python 3.11 or newer, cargo and a Unix shell.
"""

import argparse
import concurrent.futures
import dataclasses
import json
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import threading

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
OUT = ROOT / "target" / "mutation"
COPY = OUT / "crate"
# Its own, for to cargo the copy is the crate itself: in one folder each would take the other's programs for its own.
BUILD = OUT / "build"
BOUND = 95.0
# Test programs at a time.
WORKERS = 2


@dataclasses.dataclass(frozen=True)
class Stage:
    """A part of the suite: those tests of a program whose names hold one of these (all if there are none)."""

    program: str
    tests: tuple = ()
    # What `BPTT_KERNELS` says: "" for the best that the processor has.
    kernels: str = ""

    def __str__(self):
        return " ".join([self.program, *self.tests[:1], self.kernels]).strip()


# What catches most in the least time comes first, what takes long last.
SUITE = [
    *(Stage("lib", ("kernels::", "recurrent::"), kernels) for kernels in ("", "avx2", "portable", "reference")),
    Stage("numbers", ("keras::",)),
    Stage("numbers", ("keras::",), "reference"),
    Stage("numbers", ("gradients::rules_and_steps", "gradients::residual", "gradients::nothing_to_do")),
    Stage("models", ("state::", "errors::", "wrong_programs::")),
    Stage("numbers", ("_for_every_width", "_that_they_stand_for", "lacks_a_part", "biases_start", "_drawn_", "_draw_")),
    Stage("numbers", ("recurrent_dropout", "two_directions", "the_way_back", "a_minimal_unit::", "gru_with_reset_before::", "a_stack::")),
]


@dataclasses.dataclass
class Mutant:
    id: int
    file: str
    line: int
    text: str
    change: str
    # Why it is not drawn, if it is not.
    left_out: str
    # In the copy, bytes from and to: of the changed code, and of the choice between it and the original.
    changed: tuple = (0, 0)
    whole: tuple = (0, 0)

    def __str__(self):
        return f"{self.file}:{self.line}: {self.change}"


def main():
    options = command_line()
    mutants = write_copy([])
    order = list(mutants)
    random.Random(options.seed).shuffle(order)
    order = [id for id in order if not mutants[id].left_out]
    ids, not_viable = compile_viable(order, options.count)
    programs = build()
    baselines = {stage: baseline(stage, programs) for stage in SUITE}
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        outcomes = list(pool.map(lambda id: (id, *run_mutant(mutants[id], baselines, programs)), ids))
    report(mutants, outcomes, not_viable, options)


def command_line():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1, help="of the sample (default 1)")
    parser.add_argument("--count", type=int, default=300, help="mutants that compile (default 300)")
    return parser.parse_args()


# Writing and compiling


def write_copy(ids):
    """Writes the copy of the crate with these mutants in it; returns all mutants by number."""
    COPY.mkdir(parents=True, exist_ok=True)
    for name in ("benches", "examples", "tests", "README.md", "Cargo.toml"):
        if not (COPY / name).is_symlink():
            (COPY / name).symlink_to(ROOT / name)
    if (ROOT / "Cargo.lock").exists():
        shutil.copyfile(ROOT / "Cargo.lock", COPY / "Cargo.lock")
    instrumented = (ROOT / "src" / "kernels", ROOT / "src" / "recurrent")
    for path in sorted(path for path in (ROOT / "src").rglob("*") if path.is_file()):
        if not any(path.is_relative_to(folder) for folder in instrumented):
            text = path.read_text()
            if path.name == "lib.rs":
                text = f"#![allow(warnings, arithmetic_overflow, unconditional_panic)]\n{text}\nmod mutants;\n"
            write_if_new(COPY / path.relative_to(ROOT), text)
    manifest = HERE / "Cargo.toml"
    command = ["cargo", "run", "--quiet", "--manifest-path", manifest, "--target-dir", OUT / "tool", "--", ROOT, COPY]
    lines = subprocess.run([*command, *map(str, ids)], check=True, text=True, capture_output=True).stdout.splitlines()
    mutants = {}
    for line in lines:
        id, file, number, text, change, left_out, *bytes = line.split("\t")
        bytes = [int(byte) for byte in bytes] or [0] * 4
        mutants[int(id)] = Mutant(int(id), file, int(number), text, change, left_out, tuple(bytes[:2]), tuple(bytes[2:]))
    return mutants


def write_if_new(path, text):
    """Cargo goes by the time of writing."""
    if not path.exists() or path.read_text() != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def compile_viable(order, count):
    """Finds the first `count` mutants in this order that compile, and leaves them in the copy; and those that do not."""
    not_viable = set()
    while True:
        viable = [id for id in order if id not in not_viable]
        # Some more, in place of those among them that do not compile.
        ids = viable[: count + count // 20]
        mutants = write_copy(ids)
        written = [mutants[id] for id in ids]
        failed = set()
        for error in cargo_errors("check", "--profile", "test", "--lib"):
            blamed = blame(error, written)
            if not blamed:
                sys.exit(f"an error that is no mutant's:\n{error['rendered']}")
            failed |= blamed
        print(f"{len(ids)} mutants written, {len(failed)} of them do not compile", flush=True)
        if not failed:
            return ids[:count], not_viable & set(order[: order.index(ids[:count][-1])])
        not_viable |= failed


def cargo(*arguments):
    """Runs cargo on the copy, optimised a little: enough for quick tests, quick to compile. Yields its messages."""
    environment = {"CARGO_PROFILE_TEST_OPT_LEVEL": "1", **os.environ}
    command = ["cargo", *arguments, "--message-format=json", "--target-dir", BUILD]
    process = subprocess.Popen(command, cwd=COPY, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    for line in process.stdout:
        yield json.loads(line)
    process.wait()


def cargo_errors(*arguments):
    messages = [line["message"] for line in cargo(*arguments) if line["reason"] == "compiler-message"]
    # The last one counts the others and has no place.
    return [message for message in messages if message["level"] == "error" and message["spans"]]


def blame(error, mutants):
    """The mutants that an error of the compiler comes from: those whose code it is in, or the innermost around it."""
    spans = sorted(error["spans"], key=lambda span: not span["is_primary"])
    for span in spans:
        while span:
            start, end = span["byte_start"], span["byte_end"]
            here = [mutant for mutant in mutants if mutant.file == span["file_name"]]
            changed = {mutant.id for mutant in here if mutant.changed[0] <= start and end <= mutant.changed[1]}
            if changed:
                return changed
            around = [mutant for mutant in here if mutant.whole[0] <= start and end <= mutant.whole[1]]
            if around:
                innermost = min(around, key=lambda mutant: mutant.whole[1] - mutant.whole[0]).whole
                return {mutant.id for mutant in around if mutant.whole == innermost}
            span = (span["expansion"] or {}).get("span")
    return set()


def build():
    """Builds the test programs; returns their paths by name."""
    names = sorted({stage.program for stage in SUITE} - {"lib"})
    targets = [argument for name in names for argument in ("--test", name)]
    programs = {}
    for line in cargo("test", "--no-run", "--workspace", "--lib", *targets):
        if line["reason"] == "compiler-artifact" and line["profile"]["test"] and line["executable"]:
            name = "lib" if "lib" in line["target"]["kind"] else line["target"]["name"]
            programs[name] = line["executable"]
    missing = {"lib", *names} - programs.keys()
    if missing:
        sys.exit(f"these tests do not compile: {', '.join(sorted(missing))}")
    return programs


# Running


@dataclasses.dataclass
class Baseline:
    """What a stage does without a mutant: the mutants that it asks for, and the seconds that it takes."""

    reached: set
    seconds: float


def start(stage, programs, mutant, cpu_seconds, **variables):
    """Starts a part of the suite with this mutant."""
    environment = {**os.environ, "MUTANT": mutant, "RUST_TEST_THREADS": "1", "RUST_BACKTRACE": "0", **variables}
    if stage.kernels:
        environment["BPTT_KERNELS"] = stage.kernels
    # Within these bounds of processor time and, in kB, of memory.
    limits = f'ulimit -S -t {cpu_seconds} && ulimit -v 8000000 && ulimit -c 0 && exec "$@"'
    command = ["sh", "-c", limits, "sh", programs[stage.program], *stage.tests]
    return subprocess.Popen(
        command, cwd=COPY, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, errors="replace"
    )


def baseline(stage, programs):
    """Runs a part of the suite without a mutant."""
    trace = OUT / "trace"
    trace.unlink(missing_ok=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = start(stage, programs, "trace", 600, MUTANT_TRACE=str(trace))
    output, _ = process.communicate()
    if process.returncode != 0:
        sys.exit(f"{stage} fails without a mutant:\n{output}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    reached = {int(line) for line in trace.read_text().splitlines()} if trace.exists() else set()
    tests = len(re.findall(r"^test .* ok$", output, re.MULTILINE))
    print(f"{stage}: {tests} tests in {seconds:.1f} s of processor time reach {len(reached)} mutants", flush=True)
    return Baseline(reached, seconds)


def run_mutant(mutant, baselines, programs):
    """`caught`, `timeout` or `survived`, and by what."""
    reached = [(stage, known) for stage, known in baselines.items() if mutant.id in known.reached]
    outcome = ("survived", "all that reach it" if reached else "nothing reaches it")
    for stage, known in reached:
        result = run_stage(stage, programs, mutant, known.seconds)
        if result:
            outcome = (result[0], f"{stage}: {result[1]}")
            break
    print(f"{outcome[0]:8} {mutant.id} {mutant} ({outcome[1]})", flush=True)
    return outcome


def run_stage(stage, programs, mutant, seconds):
    """The first sign of the mutant, if there is one."""
    # Of processor time, which does not depend on what else the machine does; and for what waits without end, of any.
    limit = int(5 + 5 * seconds)
    process = start(stage, programs, str(mutant.id), limit)
    timer = threading.Timer(60 * limit, process.kill)
    timer.start()
    test = ""
    with process:
        for line in process.stdout:
            if found := re.match(r"test (\S+)", line):
                test = found[1]
            if line.rstrip().endswith("FAILED"):
                process.kill()
                break
    late = timer.finished.is_set()
    timer.cancel()
    if process.returncode == 0:
        return None
    return ("timeout" if late or process.returncode == -signal.SIGXCPU else "caught", test)


def report(mutants, outcomes, not_viable, options):
    reasons = read_reasons()
    without = []
    for id, outcome, _ in outcomes:
        mutant = mutants[id]
        key = (mutant.file, mutant.text, mutant.change)
        if outcome == "survived" and key not in reasons:
            without.append(mutant)
        if outcome != "survived" and key in reasons:
            print(f"is in survivors.md and caught: {mutant}")
    count = {kind: sum(outcome == kind for _, outcome, _ in outcomes) for kind in ("caught", "timeout", "survived")}
    percent = 100 * (count["caught"] + count["timeout"]) / len(outcomes)
    for mutant in without:
        print(f"survives without a reason: {mutant}\n    {mutant.text}")
    print(
        f"seed {options.seed}: {len(outcomes)} mutants that compile ({len(not_viable)} more drawn do not), "
        f"{count['caught']} caught, {count['timeout']} out of time, {count['survived']} survived: {percent:.1f} % caught"
    )
    if percent < BOUND or without:
        sys.exit(1)


def read_reasons():
    """The survivors that have a reason, by file, line and change: see the beginning of survivors.md."""
    reasons, file, text = {}, "", ""
    for line in (HERE / "survivors.md").read_text().splitlines():
        if line.startswith("## "):
            file = line[3:].strip()
        elif line.startswith("    "):
            text = line.strip()
        elif line.startswith("* "):
            change, _, reason = line[2:].partition(" — ")
            if not reason:
                sys.exit(f"survivors.md gives no reason for: {line}")
            reasons[file, text, change] = reason
    return reasons


if __name__ == "__main__":
    main()
