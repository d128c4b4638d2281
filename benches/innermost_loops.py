#!/usr/bin/env python3
"""Shows the innermost loops of the matrix products, as compiled for each instruction set, and fails if one moves vectors
through the stack: its sums then do not stay in registers.

    benches/innermost_loops.py                                      # this machine's: AVX-512, AVX2 and SSE2 on x86-64
    benches/innermost_loops.py --target aarch64-unknown-linux-gnu   # NEON, if the toolchain builds for it
    benches/innermost_loops.py --all                                # every instruction, not only the table

A loop is innermost if no other one lies within it. Those count of which at least a quarter is arithmetic on vectors; what is
left are loops over rows, which run once a tile. The table has, for each instruction set, the loop with the most
multiply-adds: how many they are, of how many instructions, and how many of these load from memory. Needs cargo, and
objdump of the binutils for the target.
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Functions of the products, by the names that the compiler gives them.
PRODUCTS = "bptt::kernels::gemm"
FUNCTION = re.compile(r"[0-9a-f]+ <(?P<name>.*)>:$")
INSTRUCTION = re.compile(r"\s*(?P<address>[0-9a-f]+):\t(?P<text>.*)")
JUMP = re.compile(r"(j\w+|b|b\.\w+|cbn?z|tbn?z)\s+(?:[^,]+,\s*)*?(?P<target>[0-9a-f]+)\b(?=\s|$)")
MULTIPLY_ADD = re.compile(r"vfmadd\w+ps\b|fmla\b|mulps\b")
ARITHMETIC = re.compile(r"vfmadd\w+ps\b|fmla\b|mulps\b|addps\b")
LOAD = re.compile(r"(?!lea|cmp|test|prefetch).*\(%r|ld[pr1]")
STACK = re.compile(r"\(%rsp|\[sp")
VECTOR = re.compile(r"%[xyz]mm|\b[qv]\d")
# Instruction sets by the token in a function's name.
SETS = ["Avx512", "Avx2", "Sse2", "Neon", "WasmSimd128"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", help="another target than this machine")
    parser.add_argument("--all", action="store_true", help="print all instructions of the loops")
    options = parser.parse_args()
    loops = [loop for loop in innermost_loops(disassembled(options.target)) if loop.is_product()]
    if not loops:
        sys.exit("FAILED: there are no products in the library")
    print("| instruction set | loops | multiply-adds | instructions | loads |\n| --- | --- | --- | --- | --- |")
    for name in sorted({loop.instruction_set for loop in loops}, key=SETS.index):
        of_set = [loop for loop in loops if loop.instruction_set == name]
        most = max(of_set, key=lambda loop: loop.count(MULTIPLY_ADD))
        figures = [most.count(MULTIPLY_ADD), len(most.instructions), most.count(LOAD)]
        print(f"| {name} | {len(of_set)} | {' | '.join(map(str, figures))} |")
    failed = [loop for loop in loops if loop.spills()]
    for loop in loops if options.all else failed:
        print(f"\n{loop.instruction_set}, {loop.function}:", *loop.instructions, sep="\n    ")
    if failed:
        sys.exit(f"FAILED: {len(failed)} loops move vectors through the stack")


def disassembled(target):
    """The library's machine code. The newer mangling keeps the types in the names of functions."""
    folder = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve() / "innermost-loops"
    flags = f"{os.environ.get('RUSTFLAGS', '')} -C symbol-mangling-version=v0"
    command = ["cargo", "build", "--release", "--lib", "--quiet"] + (["--target", target] if target else [])
    environment = {**os.environ, "RUSTFLAGS": flags, "CARGO_TARGET_DIR": str(folder)}
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    objdump = f"{target.split('-')[0]}-linux-gnu-objdump" if target else "objdump"
    library = folder / (target or "") / "release" / "libbptt.rlib"
    command = [objdump, "--disassemble", "--no-show-raw-insn", "--demangle", str(library)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


class Loop:
    def __init__(self, function, instructions):
        self.function, self.instructions = function, instructions
        self.instruction_set = next((name for name in SETS if f"::{name}" in function), None)

    def count(self, pattern):
        return sum(bool(pattern.match(instruction)) for instruction in self.instructions)

    def is_product(self):
        """On vectors, for double precision and plain numbers have none, and with arithmetic as a good part."""
        arithmetic = self.count(ARITHMETIC)
        return self.instruction_set is not None and arithmetic >= 4 and 4 * arithmetic >= len(self.instructions)

    def spills(self):
        return any(STACK.search(instruction) and VECTOR.search(instruction) for instruction in self.instructions)


def innermost_loops(lines):
    """The loops of all functions of products."""
    function, code = None, []
    for line in [*lines, "0 <>:"]:
        if match := FUNCTION.match(line):
            if function and PRODUCTS in function:
                yield from (Loop(function, part) for part in loops_of(code))
            function, code = match["name"], []
        elif match := INSTRUCTION.match(line):
            code.append((int(match["address"], 16), match["text"].split("#")[0].split("<")[0].strip()))


def loops_of(code):
    """Parts of a function from the target of a jump back to the jump, without other such parts in them."""
    places = {address: place for place, (address, _) in enumerate(code)}
    loops = set()
    for place, (_, text) in enumerate(code):
        match = JUMP.match(text)
        target = places.get(int(match["target"], 16)) if match else None
        if target is not None and target <= place:
            loops.add((target, place))
    within = lambda inner, outer: inner != outer and outer[0] <= inner[0] and inner[1] <= outer[1]
    for start, end in sorted(loops):
        if not any(within(other, (start, end)) for other in loops):
            yield [text for _, text in code[start : end + 1]]


if __name__ == "__main__":
    main()
