"""boot.py, main.py and choose.py, start after start (support/slot_chip.py): what is chosen, when.

Argument: the folder of the three. Prints a line for each case that holds.
"""

import json
import os

from hall import safe, trials
from slot_chip import (
    Chip,
    Machine,
    crashes,
    hangs,
    interrupted,
    is_cut_off,
    is_stuck,
    on_trial,
    sleeps,
    tries_again,
    updates,
    waits,
    works,
)


def two_slots_that_fail_take_turns_with_safe_mode():
    it = Chip("a", "b", "safe")
    it.does = {"a": crashes, "b": hangs, "safe": crashes}
    assert it.starts(32) == "aaaaabbbbbsssssaaaaabbbbbsssssaa"


def safe_mode_that_works_stays():
    it = Chip("a", "safe")
    it.does["a"] = crashes
    assert it.starts(12) == "aaaaasssssss"
    assert it.state()["turn"] == 2
    it.does["safe"] = is_cut_off
    assert it.starts(2) == "ss"


def safe_mode_lets_the_slots_try_again():
    it = Chip("a", "b", "safe")
    it.does = {"a": crashes, "b": crashes, "safe": works}
    it.starts(11)
    it.does["safe"] = tries_again
    assert it.starts(12) == "saaaaabbbbbs"
    assert it.state()["rounds"] == 2
    it.does["a"] = works
    ran = it.starts(2)
    assert ran == "aa", ran
    assert it.state() == {"slot": "a", "spare": "b"}, it.state()


def safe_mode_waits_longer_each_time_and_never_long():
    hours = [safe.wait_ms(rounds) / 3_600_000 for rounds in range(6)]
    assert hours == [1, 2, 4, 6, 6, 6], hours
    assert safe.wait_ms(10**6) == safe.wait_ms(4)


def a_failing_device_starts_more_and_more_slowly():
    it = Chip("a")
    it.does["a"] = crashes
    waited = []
    for _ in range(13):
        it.start()
        waited.append(it.waited - 2)  # main.py's own, before the reset
    assert waited == [0, 0, 0, 0, 0, 0, 2, 4, 8, 16, 32, 60, 60], waited


def a_slot_that_falls_for_good_is_told_and_is_no_spare():
    it = Chip("a", "b", "safe")
    it.does["a"] = is_stuck
    assert it.starts(6) == "aaaaab"
    assert it.state() == {"slot": "b", "reverted": ["", "hang"]}
    it.does["b"] = crashes
    assert it.starts(6) == "bbbbbs"


def a_trial_that_is_confirmed_is_in_service():
    it = on_trial(works)
    assert it.start() == "b"
    assert it.trial
    assert it.late is None
    assert it.state() == {"slot": "b", "spare": "a", "counter": 7}
    assert it.starts(3) == "bbb"
    assert not it.trial
    it.does["b"] = crashes
    assert it.starts(6) == "bbbbba"


def a_trial_is_given_up_after_three_starts():
    for does, why in (
        (crashes, "crash"),
        (hangs, "hang"),
        (is_stuck, "hang"),
        (is_cut_off, "no_service"),
    ):
        it = on_trial(does)
        assert it.starts(5) == "bbbaa"
        assert it.state()["reverted"] == ["0.2.0", why], it.state()
        assert "counter" not in it.state()
        it.does["a"] = crashes  # and what was never in service is nothing to fall back to
        assert it.starts(6) == "aaaaas"


def a_trial_without_service_is_given_up_after_half_an_hour():
    it = on_trial(waits)
    assert it.starts(3) == "baa"
    assert it.state() == {"slot": "a", "reverted": ["0.2.0", "no_service"]}


def a_trial_that_cannot_be_imported_is_given_up():
    it = on_trial(works)
    state = it.state()
    app = it.run

    def run(folder, start):
        if start.slot == "b":
            it.ran.append("b")
            raise ImportError("no module named hall")
        app(folder, start)

    it.run = run
    it.starts(5)
    assert it.ran[-5:] == ["b", "b", "b", "a", "a"], it.ran
    assert it.state()["reverted"] == ["0.2.0", "crash"], (state, it.state())


def a_trial_whose_folder_is_gone_is_given_up():
    it = on_trial(works)
    it.files(lambda: os.rmdir("/b"))
    ran = it.starts(2)
    assert ran == "aa", ran
    assert it.state()["reverted"] == ["0.2.0", "no_service" if it.cause == 1 else "crash"]


def what_was_told_is_told_once():
    it = on_trial(crashes)
    it.starts(3)

    def tells(start):
        trials.confirm(start)
        assert trials.reverted(start) == {"version": "0.2.0", "why": "crash"}
        trials.told(start)
        assert trials.reverted(start) is None

    it.does["a"] = tells
    it.start()
    assert it.state() == {"slot": "a"}


def an_update_in_safe_mode_gets_out_of_it():
    it = Chip("a", "b", "safe")
    it.does = {"a": crashes, "b": crashes, "safe": works}
    it.starts(11)
    it.does["safe"] = updates("b", works)
    assert it.starts(3) == "sbb"
    assert it.state() == {"slot": "b", "counter": 7}


def a_bad_update_in_safe_mode_ends_there():
    it = Chip("a", "safe")
    it.does["a"] = crashes
    it.starts(6)
    it.does["safe"] = updates("b", hangs)
    assert it.start() == "safe"
    it.does["safe"] = works
    assert it.starts(5) == "bbbss"


def a_wake_is_no_attempt():
    it = Chip("a")
    it.does["a"] = sleeps
    it.start()
    before = it.flash.operations
    assert it.starts(20) == "a" * 20
    assert it.flash.operations == before
    it = on_trial(sleeps)
    assert it.starts(9) == "b" * 9
    assert it.trial
    assert it.state()["trial"][3] == 2


def safe_mode_goes_on_after_a_sleep():
    it = Chip("a", "safe")
    it.does = {"a": crashes, "safe": sleeps}
    assert it.starts(9) == "aaaaassss"


def a_state_that_is_gone_or_damaged_starts_what_is_there():
    it = Chip("b", "safe")
    assert it.starts(2) == "bb"
    assert it.state() == {"slot": "b"}
    it = Chip("a", "safe")
    for damaged in (
        "",
        "{",
        "[]",
        "null",
        '{"slot":7}',
        '{"slot":"c","spare":["x"]}',
        '{"turn":"x"}',
        '{"turn":-5}',
        '{"turn":99}',
        '{"attempts":"many"}',
        '{"attempts":null}',
        '{"trial":7}',
        '{"trial":["b"]}',
        '{"trial":{"slot":"b"}}',
        '{"trial":["b","0.2.0",7,1000000]}',
        '{"trial":["a","0.2.0",7,1000000]}',
        '{"reverted":3}',
        '{"counter":"x"}',
        '{"slot":"safe"}',
    ):
        it.write("/slot.json", damaged)
        assert it.start() in ("a", "safe"), damaged
        it.does = {"a": crashes, "safe": tries_again}  # and it is not stuck there
        ran = it.starts(11)
        assert "a" in ran, (damaged, ran)
        assert "s" in ran, (damaged, ran)
        it.does = {"a": works, "safe": works}


def nothing_at_all_ends_in_a_reset():
    it = Chip()
    assert it.starts(3) == "---"
    assert it.cause == Machine.HARD_RESET


def a_full_flash_still_counts():
    """A state of at most 128 bytes needs no block of its own."""
    it = Chip("a", "b", "safe")
    it.does["a"] = works
    it.start()

    def fill():
        for number in range(999):
            try:
                with open("/fill%d" % number, "w") as file:
                    for _ in range(64):
                        file.write("x" * 1024)
            except OSError:
                return

    it.files(fill)
    it.does["a"] = crashes
    it.does["b"] = crashes
    assert it.starts(12) == "aaaaabbbbbss"


def the_state_is_always_small():
    state = {"slot": "b", "spare": "a", "turn": 2, "attempts": 999_999, "counter": 999_999_999}
    state["rounds"] = 999
    trial = dict(state)
    trial["trial"] = ["b", "9999.9999.9999", 999_999_999, 3]
    state["reverted"] = ["9999.9999.9999", "no_service"]
    for each in (state, trial):
        assert len(json.dumps(each, separators=(",", ":"))) <= 128, each


def what_cannot_be_counted_is_not_tried():
    it = on_trial(crashes)
    it.flash.failing = True  # as a chip that is write-protected
    assert it.starts(4) == "aaaa"
    assert not it.trial
    it.flash.failing = False
    assert it.starts(4) == "bbba"


def somebody_at_the_bench_gets_time():
    it = Chip("a")
    it.does["a"] = interrupted
    assert it.start() == "a"
    assert it.bench == [600_000]


def a_config_may_close_the_prompt_for_the_public():
    it = Chip("a")
    for config, bench in (
        ('{"bench":false}', [-1]),
        ('{"bench":true}', []),
        ("{}", []),
        ("not JSON", []),
    ):
        it.bench = []
        it.write("/config.json", config)
        it.start()
        assert it.bench == bench, config


CASES = (
    two_slots_that_fail_take_turns_with_safe_mode,
    safe_mode_that_works_stays,
    safe_mode_lets_the_slots_try_again,
    safe_mode_waits_longer_each_time_and_never_long,
    a_failing_device_starts_more_and_more_slowly,
    a_slot_that_falls_for_good_is_told_and_is_no_spare,
    a_trial_that_is_confirmed_is_in_service,
    a_trial_is_given_up_after_three_starts,
    a_trial_without_service_is_given_up_after_half_an_hour,
    a_trial_that_cannot_be_imported_is_given_up,
    a_trial_whose_folder_is_gone_is_given_up,
    what_was_told_is_told_once,
    an_update_in_safe_mode_gets_out_of_it,
    a_bad_update_in_safe_mode_ends_there,
    a_wake_is_no_attempt,
    safe_mode_goes_on_after_a_sleep,
    a_state_that_is_gone_or_damaged_starts_what_is_there,
    nothing_at_all_ends_in_a_reset,
    a_full_flash_still_counts,
    the_state_is_always_small,
    what_cannot_be_counted_is_not_tried,
    somebody_at_the_bench_gets_time,
    a_config_may_close_the_prompt_for_the_public,
)

for case in CASES:
    case()
    print("ok", case.__name__)
