"""The simulated world stands still while its process gets no turn, and only then."""

from pathlib import Path

from support import micropython

SCRIPT = Path(__file__).with_name("mp_moment.py")


def test_time_in_which_the_process_was_not_let_to_run_does_not_pass_in_the_world() -> None:
    done = micropython.run(SCRIPT, path=[micropython.simulation()])
    assert [int(line) for line in done.output.split()] == [
        1_000_000,
        1_895_000,  # 5 ms of before it began
        1_900_000,
        1_915_000,
        1_955_000,
        1_956_000,
        1_956_000,
        2_656_000,
    ]
