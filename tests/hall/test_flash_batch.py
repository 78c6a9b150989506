"""`hall flash` as it is typed: a hall's folder, mock boards, and one command."""

import functools
import itertools
import json
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hall_profiles import load
from hall_tools.flash.assignment import Assignment
from hall_tools.flash.batch import Batch
from hall_tools.flash.image_file import read_image
from hall_tools.flash.plans import Plans
from hall_tools.flash.ports import Port
from hall_tools.image import Image, build
from hall_tools.image.bases import Bases
from hall_tools.image.ident import device_in
from hall_tools.image.layout import partition
from hall_tools.image.order import Hall
from support.mock_board import MockBoard
from support.mock_boards import Bench, HallFolder, bench

KEYPADS = {f"kp-{number}": "keypad-5" for number in range(1, 9)}


@pytest.fixture
def boards(tmp_path: Path) -> Iterator[Bench]:
    yield from bench(tmp_path)


def image_of(hall: HallFolder, device: str) -> Image:
    order = Hall(hall.toml).order(device)
    return build(Bases(hall.bases).of(order), order.config, order.ident, order.flash_mb)


def device_on(mock: MockBoard) -> str | None:
    ident = partition("ident")
    return device_in(mock.content[ident.offset : ident.offset + ident.size])


def test_one_command_from_an_empty_board(tmp_path: Path, boards: Bench) -> None:
    hall, mock = HallFolder(tmp_path, {"kp-1": "keypad-5"}), boards.plug()
    run = hall.flash("kp-1", "--port", mock.port, "--json")
    done = json.loads(run.stdout)
    assert mock.content == image_of(hall, "kp-1").bytes
    assert (done["device"], done["mac"], done["flashed"]["journal"]) == ("kp-1", mock.mac, "new")
    stages = ("comparing", "writing", "verifying")
    assert run.stderr.splitlines() == [f"kp-1 on {mock.port}: {stage}" for stage in stages]
    assert hall.boards.stat().st_mode & 0o777 == 0o600
    again = hall.flash("kp-1", "--port", mock.port)
    assert "nothing differed, verified, journal kept" in again.stdout


def test_one_changed_file_writes_less_than_a_tenth(tmp_path: Path, boards: Bench) -> None:
    hall = HallFolder(tmp_path, {"kp-1": "keypad-5"}, app_bytes=1_000_000)
    mock = boards.plug()
    hall.flash("kp-1", "--port", mock.port)
    first = mock.programmed
    text = hall.toml.read_text()
    hall.toml.write_text(text.replace('hall = "demo"', 'hall = "another"'))  # config.json
    done = hall.flash_json("kp-1", "--port", mock.port)
    assert mock.content == image_of(hall, "kp-1").bytes
    assert 0 < done["flashed"]["written"] == mock.programmed - first < first / 10


def test_an_image_from_a_file(tmp_path: Path, boards: Bench) -> None:
    hall, mock = HallFolder(tmp_path, {"kp-1": "keypad-5"}), boards.plug()
    file = tmp_path / "kp-1.bin"
    file.write_bytes(image_of(hall, "kp-1").bytes)
    hall.flash("--image", str(file), "--port", mock.port)
    assert mock.content == file.read_bytes()
    image, built = read_image(file), image_of(hall, "kp-1")
    assert image.regions == built.regions
    assert (image.device, image.profile, image.chip) == ("kp-1", "keypad-5", built.chip)


@pytest.mark.parametrize(
    ("where", "complaint"),
    [
        (0x1010, "its MicroPython is damaged; make it again"),
        (0x8004, "not an image of ours: another partition table"),
        (0x12000, "its MicroPython is damaged; make it again"),
        (0x212000, "its file system is damaged"),
    ],
)
def test_a_damaged_image_is_refused(
    tmp_path: Path, boards: Bench, where: int, complaint: str
) -> None:
    hall = HallFolder(tmp_path, {"kp-1": "keypad-5"})
    file = tmp_path / "kp-1.bin"
    content = bytearray(image_of(hall, "kp-1").bytes)
    content[where : where + 8192] = random.Random(1).randbytes(8192)
    file.write_bytes(content)
    assert complaint in hall.flash("--image", str(file), code=os.EX_DATAERR).stderr
    file.write_bytes(content[:-1])
    assert "no whole flash" in hall.flash("--image", str(file), code=os.EX_DATAERR).stderr


def test_eight_boards_and_one_fails_half_way(tmp_path: Path, boards: Bench) -> None:
    hall = HallFolder(tmp_path, KEYPADS)
    faults = {5: {"vanish_after": 120_000}}
    mocks = [boards.start(number, **faults.get(number, {})) for number in range(1, 9)]
    ports = [part for mock in mocks for part in ("--port", mock.ready().port)]
    done = hall.flash("--batch", *ports, code=os.EX_IOERR)
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
    assert len(failed) == 1
    assert f"{mocks[4].port}: the board went away while writing" in failed[0]
    good = [mock for mock in mocks if device_on(mock)]
    assert mocks[4] not in good
    assert len({device_on(mock) for mock in good}) == 7
    for mock in good:
        device = str(device_on(mock))
        assert mock.content == image_of(hall, device).bytes
        (line,) = [line for line in done.stdout.splitlines() if line.startswith(f"{device}: ")]
        assert f"board {mock.mac} on {mock.port}" in line
        assert line.endswith(f"label {device} goes on it")
    (left,) = set(KEYPADS) - {device_on(mock) for mock in good}
    assert done.stdout.splitlines()[-1] == f"7 flashed, 1 failed; without a board: {left}"
    # The next run gives the one that is left to the board that failed, and touches no other.
    before = {mock: mock.programmed for mock in good}
    back = boards.plug(5)
    ports = [part for mock in (*good, back) for part in ("--port", mock.port)]
    again = hall.flash("--batch", *ports)
    assert device_on(back) == left
    assert back.content == image_of(hall, left).bytes
    assert before == {mock: mock.programmed for mock in good}
    assert again.stdout.splitlines()[-1] == "8 flashed, 0 failed"


def test_a_board_becomes_what_fits_it(tmp_path: Path, boards: Bench) -> None:
    hall = HallFolder(
        tmp_path, {"kp-1": "keypad-5", "disp-1": "call-display-hub75-64x32", "kp-2": "keypad-5"}
    )
    chips = {device: image_of(hall, device).chip for device in ("kp-1", "disp-1", "kp-2")}
    assert len(set(chips.values())) == 2
    large, small, other, tiny = (
        boards.start(1, chip=chips["disp-1"], flash_mb=8),
        boards.start(2, chip=chips["kp-1"]),
        boards.start(3, chip="esp32c2"),
        boards.start(4, chip=chips["kp-1"], flash_mb=2),
    )
    mocks = (large, small, other, tiny)
    ports = [part for mock in mocks for part in ("--port", mock.ready().port)]
    done = hall.flash("--batch", *ports, code=os.EX_DATAERR)
    assert device_on(large) == "disp-1"
    assert device_on(small) == "kp-1"
    assert "wrong chip: this board has an esp32c2; right: esp32, esp32s3, esp32c3" in done.stdout
    assert "no device left for this board with an esp32 and 2 MB flash" in done.stdout
    assert other.programmed == tiny.programmed == 0


def test_two_boards_with_one_id(tmp_path: Path, boards: Bench) -> None:
    hall = HallFolder(tmp_path, {"kp-1": "keypad-5", "kp-2": "keypad-5"})
    first = boards.plug(1)
    hall.flash("kp-1", "--port", first.port)
    second = boards.plug(2)
    refused = hall.flash("kp-1", "--port", second.port, code=os.EX_DATAERR)
    assert f"kp-1 is on board {first.mac} already" in refused.stderr
    assert second.programmed == 0
    # Also when the other board has a copy of the flash.
    second.flash.write_bytes(first.content)
    cloned = hall.flash("--batch", "--port", second.port, code=os.EX_DATAERR)
    assert f"kp-1 is on board {first.mac} already" in cloned.stdout
    twice = hall.flash("--batch", "kp-1", "kp-2", "kp-1", code=os.EX_USAGE)
    assert "kp-1 is named twice" in twice.stderr


def test_a_board_that_is_gone_gives_its_id_to_another_by_new_keys(
    tmp_path: Path, boards: Bench
) -> None:
    hall = HallFolder(tmp_path, {"kp-1": "keypad-5"})
    hall.flash("kp-1", "--port", boards.plug(1).port)
    hall.keys.enrol("kp-1", load("keypad-5"))
    second = boards.plug(2)
    hall.flash("kp-1", "--port", second.port)
    assert second.content == image_of(hall, "kp-1").bytes


def test_a_batch_of_all_has_the_spares_last(tmp_path: Path) -> None:
    hall = HallFolder(tmp_path, {"kp-2": "keypad-5", "kp-1": "keypad-5", "kp-3": "keypad-5"})
    hall.keys.enrol("kp-0", load("keypad-5"))
    hall.keys.revoke("kp-1")
    assert Plans(hall.toml, hall.bases, wipe=False).enrolled() == ["kp-2", "kp-3", "kp-0"]


def test_what_is_not_enrolled_or_was_revoked(tmp_path: Path) -> None:
    hall = HallFolder(tmp_path, {"kp-1": "keypad-5"})
    assert "no [[device]] has the id kp-9" in hall.flash("kp-9", code=os.EX_DATAERR).stderr
    hall.keys.revoke("kp-1")
    assert "kp-1: revoked" in hall.flash("kp-1", code=os.EX_DATAERR).stderr
    assert "no device of it is enrolled" in hall.flash("--batch", code=os.EX_DATAERR).stderr


def interrupted(hall: HallFolder, mock: MockBoard, *arguments: str, times: int) -> tuple[int, str]:
    """Ctrl-C, `times` times, while the board is written. Exit code and what it says."""
    command = hall.command(*arguments, "--port", mock.port)
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # Ctrl-C ends it also where the tests run in the background, which ignores it.
        preexec_fn=functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    ) as process:
        assert process.stdout is not None
        until(lambda: mock.programmed > 0)
        process.send_signal(signal.SIGINT)
        told = ""
        if times > 1:
            told = "".join(itertools.takewhile(lambda line: "no more" not in line, process.stdout))
            process.send_signal(signal.SIGINT)
        told += process.stdout.read()
        return process.wait(60), told


def until(true: Callable[[], bool], within_s: float = 30) -> None:
    end = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_ctrl_c_is_completed_by_the_next_run(tmp_path: Path, boards: Bench) -> None:
    hall, mock = HallFolder(tmp_path, {"kp-1": "keypad-5"}), boards.plug(slow_s=0.1)
    code, told = interrupted(hall, mock, "kp-1", times=1)
    assert code == 130
    assert told.endswith(f"hall: {mock.port}: stopped half way; the same command completes it\n")
    assert device_on(mock) is None
    mock.stop()
    hall.flash("kp-1", "--port", (back := boards.plug()).port)
    assert back.content == image_of(hall, "kp-1").bytes


def test_ctrl_c_ends_a_batch_when_its_boards_are_done(tmp_path: Path, boards: Bench) -> None:
    hall, mock = HallFolder(tmp_path, KEYPADS), boards.plug(slow_s=0.05)
    code, told = interrupted(hall, mock, "--batch", times=1)
    assert code == 0
    assert "no more boards; waiting for those begun" in told
    assert "1 flashed, 0 failed; without a board: kp-2" in told
    assert mock.content == image_of(hall, "kp-1").bytes


def test_ctrl_c_twice_gives_up(tmp_path: Path, boards: Bench) -> None:
    hall, mock = HallFolder(tmp_path, KEYPADS), boards.plug(slow_s=0.3)
    code, told = interrupted(hall, mock, "--batch", times=2)
    assert code == os.EX_TEMPFAIL
    assert f"FAILED kp-1: {mock.port}: stopped half way; the same command completes it" in told
    assert device_on(mock) is None


class Lines:
    """A screen that keeps what was said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    @contextmanager
    def line(self, port: Port) -> Iterator["Lines"]:
        yield self

    def name(self, device: str) -> None: ...
    def told(self, stage: str, done: int, total: int) -> None: ...

    def say(self, text: str) -> None:
        self.said.append(text)


def test_boards_that_come_and_go(tmp_path: Path, boards: Bench) -> None:
    """One fails and comes back, one comes twice, and it ends when all devices have a board."""
    hall = HallFolder(tmp_path, {"kp-1": "keypad-5", "kp-2": "keypad-5"})
    plans = Plans(hall.toml, hall.bases, wipe=False)
    queue = Assignment([plans.wanted("kp-1"), plans.wanted("kp-2")], plans.ledger)
    screen = Lines()
    batch = Batch(queue, plans.plan, plans.ledger, screen)
    plugged: list[Port] = []
    running = threading.Thread(target=batch.run, args=(lambda: list(plugged), True))
    running.start()

    def plug(number: int, **faults: object) -> Port:
        plugged.append(Port(boards.plug(number, transport="socket", **faults).port))
        return plugged[-1]

    first = plug(1, vanish_after=100_000)
    until(lambda: len(batch.failures) == 1)
    plugged.remove(first)
    again = plug(1)
    until(lambda: len(batch.results) == 1)
    plugged.remove(again)
    twice = plug(1)
    until(lambda: len(screen.said) == 3)
    assert screen.said[2] == f"{twice.name}: this board is kp-1 already, left as it is"
    plug(2)
    running.join(30)
    assert not running.is_alive()
    assert [result.device for result in batch.results] == ["kp-1", "kp-2"]
    assert batch.exit_code() == os.EX_IOERR
