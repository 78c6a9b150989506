"""`make fuzz`: every target, or those that are named, for as long as they are given.

    python -m fuzz [--seconds N] [TARGET ...]      each in a process of its own
    python -m fuzz --list

With atheris what has been covered leads to what is tried next; corpora stay in build/fuzz/, where
a run goes on from the last one. Where there are no wheels of it, the same inputs are tried without.
What is found ends a target: it is in build/fuzz/found/, and the exit code is 1.
"""

import argparse
import importlib.util
import logging
import os
import random
import subprocess
import sys
import time
import warnings
from pathlib import Path

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build/fuzz"
FOUND = BUILD / "found"
SECONDS = 60
DEVICE = "micropython-device"
"""Not one of the targets: all of the device's, in the real MicroPython."""
LONGEST = 8192
"""Bytes of an input: more only takes longer."""
INSTRUMENTED = ["hall", "hall_gateway", "hall_profiles", "hall_tools", "mp_wire", "mp_flash"]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    parser.add_argument("--seconds", type=int, default=SECONDS, help="for each target")
    parser.add_argument("--list", action="store_true", help="name the targets")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    logging.getLogger("hall_gateway").propagate = False
    warnings.simplefilter("ignore")
    if asked.one:
        return one(asked.one, asked.seconds)
    from fuzz.targets import TARGETS

    known = [*TARGETS, DEVICE]
    unknown = [name for name in asked.targets if name not in known]
    if asked.list or unknown:
        print("\n".join([*(f"no target is called {name}" for name in unknown), *known]))
        return os.EX_USAGE if unknown else 0
    names = asked.targets or known
    try:
        failed = [name for name in names if not in_process(name, asked.seconds)]
    except KeyboardInterrupt:
        return 130
    print(f"{len(names)} targets, {len(failed)} found something", *failed)
    return 1 if failed else 0


def in_process(name: str, seconds: int) -> bool:
    """Whether nothing was found; a line says what was tried."""
    began = time.monotonic()
    command = [sys.executable, "-m", "fuzz", "--one", name, "--seconds", str(seconds)]
    log = BUILD / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as file:
        well = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT).returncode == 0
    said = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    what = next((line for line in reversed(said) if line.startswith(("Done", "tried"))), "")
    print(f"{name:22} {time.monotonic() - began:6.0f} s  {what if well else f'FOUND: see {log}'}")
    return well


def one(name: str, seconds: int) -> int:
    """One target, in this process."""
    FOUND.mkdir(parents=True, exist_ok=True)
    if name == DEVICE:
        return in_micropython(seconds)
    if importlib.util.find_spec("atheris"):
        return covered(name, seconds)
    return blind(name, seconds)


def in_micropython(seconds: int) -> int:
    """The device's own, in the real MicroPython, with one seed after the other."""
    from fuzz.test_micropython import run

    end, seed = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        seed += 1
        done = run(300, seed, timeout=600, check=False)
        if done.exit_code:
            print(done.output)
            (FOUND / f"micropython-{seed}.txt").write_text(done.output)
            return 1
    print(f"tried {seed} seeds with 300 inputs for each reader")
    return 0


def blind(name: str, seconds: int) -> int:
    """Without coverage: the bounded run's inputs, with another seed each time."""
    from fuzz.target import bounded
    from fuzz.targets import TARGETS

    target, chance = TARGETS[name], random.Random()
    end, tried = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        data = target.one(chance.randrange)
        try:
            with bounded():
                target.run(data)
        except BaseException:
            (FOUND / f"{name}-{tried}").write_bytes(data)
            raise
        tried += 1
    print(f"tried {tried} inputs")
    return 0


def covered(name: str, seconds: int) -> int:
    """With atheris; half of its inputs are made as those of the bounded run. Never returns."""
    import atheris

    with atheris.instrument_imports(include=INSTRUMENTED, enable_loader_override=False):
        from fuzz.target import bounded
        from fuzz.targets import TARGETS
    target = TARGETS[name]
    corpus = BUILD / "corpus" / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.right):
        (corpus / f"right-{number}").write_bytes(seed)

    def change(data: bytes, longest: int, seed: int) -> bytes:
        if seed % 2:
            return atheris.Mutate(data, longest)
        return target.one(random.Random(seed).randrange, data)[:longest]

    def run(data: bytes) -> None:
        with bounded():
            target.run(data)

    arguments = [sys.argv[0], f"-max_total_time={seconds}", f"-artifact_prefix={FOUND}/{name}-"]
    arguments += [
        f"-max_len={LONGEST}",
        "-timeout=60",
        "-rss_limit_mb=2048",
        "-print_final_stats=1",
    ]
    atheris.Setup([*arguments, str(corpus)], run, custom_mutator=change)
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
