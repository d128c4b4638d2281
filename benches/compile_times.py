#!/usr/bin/env python3
"""Measures what it costs to compile a program that uses the crate, in seconds of a processor (user and system).

    benches/compile_times.py                          # four programs: first build, rebuild after an edit, size
    benches/compile_times.py --check                  # the same; fails if a rebuild or a size is not what is asked
    benches/compile_times.py --symbols                # also: what a program's own object code must not define
    benches/compile_times.py --examples --readme      # also: all examples, and README's commands in a fresh clone
    benches/compile_times.py --programs --readme      # only the last
    benches/compile_times.py --crate ../old --save old.json && benches/compile_times.py --before old.json

The programs are those in `compile_times/`. Each becomes a package of its own outside the workspace, which depends on
the crate by path; they share a folder for what is built, so that dependencies are compiled once, by the first. Prints a
table in Markdown. Needs Python 3.11 or newer, cargo, git, and strip and nm of the binutils.
"""

import argparse
import collections
import json
import os
import pathlib
import re
import resource
import shlex
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
PROGRAMS = ["small", "stack", "cell", "gates"]
# What is asked of each row, in the row's unit. Processors differ, so that `--check` only fails from a third above.
FIRST_BUILD, EXAMPLES, README = 230, 11 * 60, 18 * 60
REBUILD = {"small": 3, "stack": 3, "cell": 6, "gates": 10}
STRIPPED = {"small": 3}
SLACK = 4 / 3
# Modules that are to be compiled with the crate: no program may hold code of theirs of its own. The vectors' crate is
# among them, for kernels are closures that it compiles for each instruction set, under its own name.
COMPILED_ONCE = ["bptt::kernels", "bptt::training", "bptt::network", "fearless_simd"]
# The one line that an edit changes.
EDITED = re.compile(r"^const SEED: u64 = \d+;$", re.MULTILINE)


def main():
    options = command_line()
    made = options.folder is None
    folder = pathlib.Path(tempfile.mkdtemp(prefix="compile-times-")) if made else options.folder.resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        rows, foreign = measure(options, folder)
    finally:
        if made:
            shutil.rmtree(folder, ignore_errors=True)
    before = json.loads(options.before.read_text()) if options.before else {}
    print(table(rows, before))
    if options.save:
        options.save.write_text(json.dumps({row.what: row.measured for row in rows}, indent=1) + "\n")
    for symbol in foreign:
        print(f"FAILED: the program `stack` defines {symbol}", file=sys.stderr)
    missed = [row for row in rows if options.check and row.checked and row.measured > SLACK * row.asked]
    for row in missed:
        print(f"FAILED: {row.what}: {row.show(row.measured)}, asked are at most {row.show(row.asked)}", file=sys.stderr)
    sys.exit(1 if foreign or missed else 0)


def command_line():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", nargs="*", choices=PROGRAMS, default=PROGRAMS, help="which ones (default: all)")
    parser.add_argument("--edits", type=int, default=3, help="rebuilds, of which the best counts (default 3)")
    parser.add_argument("--crate", type=pathlib.Path, default=ROOT, help="the checkout to measure (default: this one)")
    text = "the programs' folder (default: the measured checkout's, or this one's)"
    parser.add_argument("--sources", type=pathlib.Path, help=text)
    text = "an empty folder to work in, which is kept (default: a temporary one)"
    parser.add_argument("--folder", type=pathlib.Path, help=text)
    parser.add_argument("--check", action="store_true", help="fail if a rebuild or a size is larger than asked")
    text = "fail if `stack` defines code of the crate's inner modules"
    parser.add_argument("--symbols", action="store_true", help=text)
    parser.add_argument("--examples", action="store_true", help="build all examples from nothing")
    parser.add_argument("--readme", action="store_true", help="run the commands at the README's top in a fresh clone")
    parser.add_argument("--save", type=pathlib.Path, help="write the figures to this file")
    parser.add_argument("--before", type=pathlib.Path, help="show the figures of such a file beside")
    options = parser.parse_args()
    options.crate = options.crate.resolve()
    if options.sources is None:
        folders = [checkout / "benches" / "compile_times" for checkout in (options.crate, ROOT)]
        options.sources = next(folder for folder in folders if folder.is_dir())
    if options.edits < 1:
        parser.error("--edits is at least 1")
    if not (options.crate / "Cargo.toml").is_file():
        parser.error(f"there is no Cargo.toml in {options.crate}")
    if options.folder and options.folder.exists() and any(options.folder.iterdir()):
        parser.error(f"{options.folder} is not empty")
    if options.folder and options.folder.resolve().is_relative_to(options.crate):
        parser.error("the programs are to be outside the crate's workspace")
    if options.symbols and "stack" not in options.programs:
        parser.error("--symbols looks at the program `stack`")
    return options


class Row:
    """A line of the table. Sizes are in megabytes, all else in seconds of a processor."""

    def __init__(self, what, measured, asked=None, unit="CPU-s", checked=False):
        self.what, self.measured, self.asked, self.unit, self.checked = what, measured, asked, unit, checked
        say(f"{what}: {self.show(measured)}")

    def show(self, value):
        if value is None:
            return ""
        return f"{value:.2f} {self.unit}" if value < 100 else f"{value:.0f} {self.unit}"


def table(rows, before):
    lines = [["what", "asked", "measured"], ["---"] * 3]
    for row in rows:
        lines.append([row.what, f"at most {row.asked} {row.unit}" if row.asked else "", row.show(row.measured)])
    if before:
        column = ["before", "---", *(row.show(before.get(row.what)) for row in rows)]
        lines = [[*line[:2], cell, line[2]] for line, cell in zip(lines, column)]
    version = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    head = f"{version}, {os.cpu_count()} cores; seconds of a processor are user and system"
    return "\n".join([head, "", *(f"| {' | '.join(line)} |" for line in lines)])


def measure(options, folder):
    """All rows, and the symbols that should not be there."""
    rows, foreign = [], []
    for number, name in enumerate(options.programs):
        program = Program(name, options, folder)
        first = program.build()
        if number == 0:
            rows.append(Row(f"first release build of `{name}`, dependencies included", first, FIRST_BUILD))
        rebuild = min(program.rebuild(edit) for edit in range(1, options.edits + 1))
        rows.append(Row(f"`{name}`: release rebuild after an edit", rebuild, REBUILD[name], checked=True))
        asked = STRIPPED.get(name)
        rows.append(Row(f"`{name}`: stripped size", program.stripped(), asked, "MB", checked=asked is not None))
        program.try_it()
        if options.symbols and name == "stack":
            foreign = program.foreign_symbols()
    if options.examples:
        command = ["cargo", "build", "--release", "--examples"]
        fetch(options.crate)
        seconds = run(command, options.crate, folder / "examples")
        rows.append(Row("`cargo build --release --examples` from nothing", seconds, EXAMPLES))
        shutil.rmtree(folder / "examples")
    if options.readme:
        rows += readme(options.crate, folder / "clone")
    return rows, foreign


class Program:
    """A small program as a package of its own."""

    def __init__(self, name, options, folder):
        self.name = name
        self.package = folder / name
        self.target = folder / "target"
        self.source = (options.sources / f"{name}.rs").read_text()
        if len(EDITED.findall(self.source)) != 1:
            sys.exit(f"{name}.rs needs one line to be edited, `const SEED: u64 = 0;`")
        (self.package / "src").mkdir(parents=True)
        # A workspace of its own, whatever stands above; TOML's basic strings are written as JSON's.
        (self.package / "Cargo.toml").write_text(
            f'[package]\nname = "{name}"\nversion = "0.0.0"\nedition = "2024"\n\n[workspace]\n\n[dependencies]\n'
            f'bptt = {{ path = {json.dumps(str(options.crate))} }}\nndarray = "0.17"\n'
            'serde = { version = "1", features = ["derive"] }\n'
        )
        self.write(0)
        fetch(self.package)

    def write(self, edit):
        (self.package / "src" / "main.rs").write_text(EDITED.sub(f"const SEED: u64 = {edit};", self.source))

    def build(self):
        return run(["cargo", "build", "--release"], self.package, self.target)

    def rebuild(self, edit):
        self.write(edit)
        seconds = self.build()
        say(f"{self.name}: edit {edit}: {seconds:.2f} CPU-s")
        return seconds

    def binary(self):
        return self.target / "release" / self.name

    def stripped(self):
        stripped = self.package / "stripped"
        subprocess.run(["strip", "-o", stripped, self.binary()], check=True)
        return stripped.stat().st_size / 1e6

    def try_it(self):
        """A program that does not run would measure nothing."""
        subprocess.run([self.binary()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)

    def foreign_symbols(self):
        """Functions of the inner modules that the program's own object code defines: generic code that every program
        would compile anew. The linked binary holds the library's as well, so it cannot tell."""
        objects = self.target / "release" / "deps"
        pattern = f"{self.name}-*.o"
        for old in objects.glob(pattern):
            old.unlink()
        self.write(0)
        # With several codegen units the compiler leaves one file for each.
        run(["cargo", "rustc", "--release", "--bin", self.name, "--", "--emit=obj"], self.package, self.target)
        files = sorted(objects.glob(pattern))
        if not files:
            sys.exit("the compiler left no object file")
        command = ["nm", "--demangle", "--print-size", "--defined-only", *files]
        lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        found = re.findall(r"^[0-9a-f]+ ([0-9a-f]+) [TtWw] (.*)$", "\n".join(lines), re.MULTILINE)
        if not any(f"{self.name}::main" in symbol for _, symbol in found):
            sys.exit("the object files do not hold the program's main function")
        # Instances for several types may have one name.
        functions = collections.Counter()
        for size, symbol in found:
            functions[symbol] += int(size, 16)
        say(f"{self.name}: its object code defines {len(found)} functions of {functions.total()} bytes, among them")
        for symbol, size in functions.most_common(10):
            say(f"    {size:7} bytes: {symbol}")
        modules = "|".join(COMPILED_ONCE)
        # A function of such a module, a method of one of its types or of one of its traits. Drops are `core`'s.
        inner = re.compile(rf"^[<&(\[]*(?:mut |dyn )*(?:{modules})::|^<[^>]* as (?:{modules})::")
        # The empty hooks that a built-in callback inherits from its trait are made where the callback is passed.
        hook = re.compile(r"^<bptt::callbacks::.* as bptt::training::callback::Callback>::|^bptt::training::callback::Callback::")
        return [
            f"{symbol} ({size} bytes)"
            for symbol, size in functions.most_common()
            if inner.search(symbol) and not (hook.search(symbol) and size < 64)
        ]


def readme(crate, clone):
    """The commands of the README's first block of shell, as somebody runs them who has just fetched the repository."""
    subprocess.run(["git", "clone", "--quiet", crate, clone], check=True)
    block = re.search(r"^```sh\n(.*?)^```", (clone / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    commands = [shlex.split(line, comments=True) for line in block[1].splitlines()] if block else []
    commands = [command for command in commands if command[:2] in (["cargo", "run"], ["cargo", "test"])]
    if not commands:
        sys.exit("the README begins with no command of cargo")
    fetch(clone)
    rows = []
    for command in commands:
        if command[1] == "run":
            arguments = command.index("--") if "--" in command else len(command)
            build = ["cargo", "build", *command[2:arguments]]
        else:
            build = [*command[:2], "--no-run", *command[2:]]
        name = shlex.join(command)
        building = run(build, clone, clone / "target")
        rows.append(Row(f"`{name}` in a fresh clone, what it builds", building))
        # Of `cargo test` this includes building the documentation's programs.
        rows.append(Row(f"`{name}` in a fresh clone, what it runs", run(command, clone, clone / "target")))
    return [*rows, Row("README's commands in a fresh clone", sum(row.measured for row in rows), README)]


def fetch(folder):
    """Downloads are no part of what is measured."""
    subprocess.run(["cargo", "fetch", "--quiet"], cwd=folder, env=variables(), stdin=subprocess.DEVNULL, check=True)


def run(command, folder, target):
    """Runs a command and returns the seconds of a processor that it and all that it started took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.run(
        command,
        cwd=folder,
        env=variables() | {"CARGO_TARGET_DIR": str(target)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode:
        print(process.stdout, file=sys.stderr)
        sys.exit(f"failed: {shlex.join(command)}")
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def variables():
    """The environment without what would have cargo build in another way than by default, or hide work from the
    measurement."""
    flags = "RUSTFLAGS|RUSTDOCFLAGS|CARGO_ENCODED_RUSTFLAGS|CARGO_INCREMENTAL|CARGO_PROFILE_.*|CARGO_BUILD_.*"
    ours = re.compile(f"{flags}|RUSTC_WRAPPER|RUSTC_WORKSPACE_WRAPPER|CARGO_TARGET_DIR")
    return {name: value for name, value in os.environ.items() if not ours.fullmatch(name)}


def say(text):
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
