"""`hall flash` as esptool does it, against boards that esp32-mock-bootloader plays."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hall_tools.flash.advice import BoardError
from hall_tools.flash.board import Board
from hall_tools.flash.flasher import Flashed, flash
from hall_tools.flash.occupant import occupant
from hall_tools.flash.ports import Port
from hall_tools.image import Image
from hall_tools.image.ident import device_in
from hall_tools.image.layout import SECTOR, partition
from support.images import image
from support.mock_board import MockBoard
from support.mock_boards import bench

Plug = Callable[..., MockBoard]


@pytest.fixture
def plug(tmp_path: Path) -> Iterator[Plug]:
    for boards in bench(tmp_path):
        yield boards.plug


def put(mock: MockBoard, wanted: Image, wipe: bool = False) -> Flashed:
    with Board(Port(mock.port), attempts=1) as board:
        return flash(board, wanted, lambda *_: None, wipe=wipe)


def holds(mock: MockBoard, wanted: Image, but: str = "") -> bool:
    content = mock.content
    return all(
        content[r.offset : r.offset + len(r.content)] == r.content
        for r in wanted.regions
        if r.name != but
    )


@pytest.mark.parametrize(
    ("chip", "transport"),
    [("esp32", "pty"), ("esp32", "socket"), ("esp32s3", "pty"), ("esp32c3", "pty")],
)
def test_an_empty_board_gets_the_image(plug: Plug, chip: str, transport: str) -> None:
    mock, wanted = plug(transport=transport, chip=chip), image(chip=chip)
    done = put(mock, wanted)
    assert mock.content == wanted.bytes
    assert done.journal == "new"
    assert done.written == mock.programmed
    with Board(Port(mock.port), attempts=1) as board:
        assert (board.chip, board.mac, board.flash_mb) == (chip, mock.mac, 4)
        assert board.read(0x10000, 5 * SECTOR) == wanted.bytes[0x10000 : 0x10000 + 5 * SECTOR]
        assert occupant(board).device == "kp-1"


def test_flashing_again_writes_nothing(plug: Plug) -> None:
    mock = plug()
    put(mock, image())
    before = mock.programmed
    assert put(mock, image()).written == 0
    assert mock.programmed == before


def test_one_changed_file_writes_less_than_a_tenth(plug: Plug) -> None:
    mock = plug()
    files = random.Random(9).randbytes(100_000)
    put(mock, image(vfs=files))
    before = mock.programmed
    changed = files[:50_000] + b"changed" + files[50_007:]
    put(mock, image(vfs=changed))
    assert holds(mock, image(vfs=changed))
    assert 0 < mock.programmed - before < before / 10


def events(mock: MockBoard) -> bytes:
    """Lets the board's journal hold what a firmware could have left there."""
    journal = partition("jrnl")
    header = b"HALJ" + bytes(56) + b"\0" * 4
    slots = (header + b"\x45" * 64).ljust(SECTOR, b"\xff")
    with mock.flash.open("r+b") as file:
        file.seek(journal.offset)
        file.write(slots)
    return slots.ljust(journal.size, b"\xff")


def journal_of(mock: MockBoard) -> bytes:
    journal = partition("jrnl")
    return mock.content[journal.offset : journal.offset + journal.size]


def ident_of(mock: MockBoard) -> bytes:
    ident = partition("ident")
    return mock.content[ident.offset : ident.offset + ident.size]


def test_an_update_keeps_the_events(plug: Plug) -> None:
    mock = plug()
    put(mock, image())
    kept = events(mock)
    done = put(mock, image(seed=2, psk="aa" * 32))
    assert done.journal == "kept"
    assert journal_of(mock) == kept
    assert holds(mock, image(seed=2, psk="aa" * 32), but="jrnl")


def test_events_go_when_that_is_wanted(plug: Plug) -> None:
    mock = plug()
    put(mock, image())
    events(mock)
    assert put(mock, image(), wipe=True).journal == "new"
    assert mock.content == image().bytes


def test_another_devices_board_is_refused(plug: Plug) -> None:
    mock = plug()
    put(mock, image("kp-1"))
    events(mock)
    before = mock.content
    with pytest.raises(BoardError, match=r"this board is kp-1, not kp-2; plug in the right one"):
        put(mock, image("kp-2"))
    assert mock.content == before
    put(mock, image("kp-2"), wipe=True)
    assert mock.content == image("kp-2").bytes


def test_events_of_nobody_knows_whom_are_not_lost(plug: Plug) -> None:
    mock = plug()
    put(mock, image())
    events(mock)
    with mock.flash.open("r+b") as file:
        file.seek(partition("ident").offset)
        file.write(bytes(2 * SECTOR))
    with pytest.raises(BoardError, match="events of an unknown device"):
        put(mock, image())


def test_wrong_chip(plug: Plug) -> None:
    mock = plug(chip="esp32c3")
    with pytest.raises(BoardError, match="wrong chip: this board has an esp32c3, and kp-1"):
        put(mock, image())
    assert mock.programmed == 0


def test_a_chip_that_is_none_of_ours(plug: Plug) -> None:
    mock = plug(chip="esp8266")
    with pytest.raises(BoardError, match=r"has an esp8266; right: esp32, esp32s3, esp32c3$"):
        put(mock, image())


def test_a_chip_that_is_too_old(plug: Plug) -> None:
    mock = plug(chip="esp32c3")
    with pytest.raises(BoardError, match=r"has an esp32c3 v0\.0, and this MicroPython needs v0\.3"):
        put(mock, image(chip="esp32c3", revision=3))
    assert mock.programmed == 0


def test_too_little_flash(plug: Plug) -> None:
    mock = plug(flash_mb=2)
    with pytest.raises(BoardError, match=r"this board has 2 MB, and kp-1 \(keypad-5\) needs 4 MB"):
        put(mock, image())
    assert mock.programmed == 0


@pytest.mark.parametrize(
    ("cut_at", "transport"),
    [(0, "pty"), (5_000, "pty"), (200_000, "socket"), (500_000, "pty"), (540_000, "pty")],
)
def test_a_cut_off_run_is_completed_by_the_next(plug: Plug, cut_at: int, transport: str) -> None:
    wanted = image()
    mock = plug(transport=transport, vanish_after=cut_at)
    with pytest.raises(BoardError, match=r"went away while writing.*run the same command again"):
        put(mock, wanted)
    done = mock.programmed
    assert done == cut_at
    # It is nobody's until all the rest is there.
    assert device_in(ident_of(mock)) == (None if cut_at < 536_576 else "kp-1")
    back = plug(transport=transport)
    put(back, wanted)
    assert back.content == wanted.bytes
    # What was there already is not written again, but for what was on its way.
    assert back.programmed - done < len(wanted.bytes.rstrip(b"\xff")) - done + 128 * 1024


def test_an_update_cut_off_anywhere_is_still_the_same_device(plug: Plug) -> None:
    mock = plug()
    put(mock, image())
    kept = events(mock)
    update = image(seed=2, psk="aa" * 32)
    mock.stop()
    mock = plug(vanish_after=200_000)
    with pytest.raises(BoardError, match="went away"):
        put(mock, update)
    mock = plug()
    assert put(mock, update).journal == "kept"
    assert journal_of(mock) == kept
    assert holds(mock, update, but="jrnl")


def test_the_identity_has_a_valid_copy_at_every_moment(plug: Plug) -> None:
    mock = plug()
    put(mock, image())
    mock.stop()
    update = image(psk="aa" * 32)
    for cut_at in (1, 2000, SECTOR, SECTOR + 1, 2 * SECTOR - 1):
        mock = plug(vanish_after=cut_at)
        with pytest.raises(BoardError):
            put(mock, update)
        mock = plug()
        with Board(Port(mock.port), attempts=1) as board:
            assert occupant(board).device == "kp-1"
        put(mock, image())
        mock.stop()


def test_a_copy_of_the_identity_that_does_not_hold_costs_the_other_nothing(plug: Plug) -> None:
    mock = plug()
    put(mock, image())
    before = ident_of(mock)
    mock.stop()
    mock = plug(bad_at=partition("ident").offset + 20)
    with pytest.raises(BoardError, match="verify failed at 0x200000"):
        put(mock, image(psk="aa" * 32))
    assert ident_of(mock)[SECTOR:] == before[SECTOR:]
    assert device_in(ident_of(mock)) == "kp-1"


def test_flash_that_does_not_hold_is_told(plug: Plug) -> None:
    mock = plug(bad_at=0x20123)
    with pytest.raises(BoardError, match="verify failed at 0x020000"):
        put(mock, image())


def test_a_board_that_stops_answering(plug: Plug, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hall_tools.flash.board._PIECE_TIMEOUT_S", 1.0)
    mock = plug(mute_after=100_000)
    with pytest.raises(BoardError, match=r"writing failed: No more data [^.]*; try another cable"):
        put(mock, image())


def test_a_board_that_never_answers(plug: Plug) -> None:
    mock = plug(silent=True)
    with pytest.raises(BoardError, match=r"it does not answer; try another cable .* BOOT key"):
        put(mock, image())


def test_noise_on_the_line(plug: Plug) -> None:
    mock = plug(noise=True)
    with pytest.raises(BoardError, match="garbled; try another cable"):
        put(mock, image())


@pytest.mark.parametrize("seed", range(4))
def test_damaged_answers_never_make_a_wrong_board(plug: Plug, seed: int) -> None:
    mock, wanted = plug(garble=[seed, 0.0005]), image(app_kb=64)
    told: list[BoardError] = []
    try:
        put(mock, wanted)
    except BoardError as error:
        told.append(error)
    assert mock.content == wanted.bytes or "try another cable" in str(told[0])


def test_a_bridge_that_knows_one_speed_only(plug: Plug) -> None:
    mock = plug(one_speed=True)
    put(mock, image())
    assert mock.content == image().bytes


def test_a_busy_port(plug: Plug) -> None:
    mock = plug()
    with (
        Board(Port(mock.port), attempts=1),
        pytest.raises(BoardError, match=r"another program uses this port.*fuser -v"),
    ):
        put(mock, image())


def test_no_such_port() -> None:
    with pytest.raises(BoardError, match="/dev/ttyUSB9: there is no such port"):
        Board(Port("/dev/ttyUSB9"))
