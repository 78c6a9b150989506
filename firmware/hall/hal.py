"""The chip: the only module that imports machine, network and esp32, with hal_sleep.py.

Here: pins, bus and flash as drivers want them, uptime, watchdog, reset and its cause, Wi-Fi, the
serial line. Not here: what is connected (config), what a driver does with it (drivers/), and what
only a device that sleeps needs (hal_sleep.py, which the others do not load).
"""

import asyncio
import select
import sys
import time

import esp32
import machine
import micropython
import network
from micropython import const

# RTC memory survives a reset and deep sleep, but no power cut. It holds this mark, the length of a
# note and why the last reset was meant (choose.py reads that, too), the length of what errors.py
# keeps in two bytes and that, and then what hal_sleep.py keeps.
_MARK = b"HK"
NOTE_MAX = 60  # characters, of at most 4 bytes
# A parameter of the ESP32 port's Pin that its stubs do not know.
_LET_GO = {"hold": False}
_CAUSES = {
    machine.PWRON_RESET: "power_on",
    machine.HARD_RESET: "hard",
    machine.WDT_RESET: "watchdog",
    machine.DEEPSLEEP_RESET: "deep_sleep",
    machine.SOFT_RESET: "soft",
}

JOIN_MS = 15_000
_CHECK_MS = const(500)
# The driver of the radio needs a moment between a disconnect and the next connect.
_REST_MS = const(1000)
_RADIO_FAILURES = const(5)  # failed joins until the radio is switched off and on

_I2C_TIMEOUT_US = const(5000)

_ticks = time.ticks_ms()
_uptime = 0
rtc_errors = b""  # of RTC memory, what errors.py keeps ...
rtc_tail = b""  # ... and what is behind it


def uptime_ms():
    """ms since boot, never wrapping; to be called at least once in six days (ticks wrap).

    A wake from deep sleep is no boot: see hal_sleep.went_on()."""
    global _ticks, _uptime
    now = time.ticks_ms()
    _uptime += time.ticks_diff(now, _ticks)
    _ticks = now
    return _uptime


class Hal:
    """What drivers/ and build.py use. `chip`: esp32, esp32s3 or esp32c3.

    GPIO is the address where the chip's GPIO registers begin.
    """

    def __init__(self, chip):
        # Technical reference manuals, GPIO registers; the ESP32's are reached over its DPORT bus.
        if chip == "esp32":
            self.GPIO = 0x3FF44000
        elif chip in ("esp32s3", "esp32c3"):
            self.GPIO = 0x60004000
        else:
            raise ValueError("chip %s is not in this firmware" % chip)

    def input(self, pin, active):
        """`.value()` is 1 while the input has its active level ("low" or "high")."""
        return _Input(pin, active)

    def output(self, pin, active):
        """`.on()` gives the active level, `.off()` the other, which it has from the start."""
        return _Output(pin, active)

    def open_drain(self, pin):
        """As output(pin, "low"), but off it drives nothing: others may pull the line."""
        return _Drain(pin)

    def falling(self, pin, handler):
        """`handler(pin)` soon after each falling edge, in their order, between two bytecodes."""
        machine.Pin(pin, machine.Pin.IN).irq(handler, machine.Pin.IRQ_FALLING)

    def adc(self, pin):
        """`.read_uv()`: microvolts, 0 to about 3.1 V."""
        return machine.ADC(machine.Pin(pin), atten=machine.ADC.ATTN_11DB)

    def spi(self, clk, din, hz):
        """`.write(bytes)`: SPI mode 0 without a chip select, the most significant bit first."""
        # By default the port takes GPIO 12 as MISO, the pin that sets the flash's voltage at reset.
        return machine.SPI(1, hz, sck=machine.Pin(clk), mosi=machine.Pin(din), miso=None)

    def i2c(self, sda, scl, hz):
        """`.readfrom_mem_into()` and `.writeto_mem()` of machine.I2C; OSError: no answer."""
        # A bus that something holds down costs this long a transaction, not the default of 50 ms.
        return machine.I2C(
            0, scl=machine.Pin(scl), sda=machine.Pin(sda), freq=hz, timeout=_I2C_TIMEOUT_US
        )

    def uart(self, tx, rx, baud):
        """8N1. `.any()`: bytes that wait, at most 512; `.readinto(buffer)`: how many it took."""
        return machine.UART(
            1, baud, tx=machine.Pin(tx), rx=machine.Pin(rx), rxbuf=512, timeout=0, timeout_char=0
        )

    def player(self):
        """What plays the frames of a scanned panel: machine code, or viper. ValueError: neither."""
        from .drivers.panel import find

        return find()


class _Input:
    def __init__(self, pin, active):
        self._idle = 0 if active == "high" else 1
        pull = machine.Pin.PULL_UP if self._idle else machine.Pin.PULL_DOWN
        self._pin = machine.Pin(pin, machine.Pin.IN, pull)

    def value(self):
        return self._pin.value() ^ self._idle


class _Output:
    def __init__(self, pin, active):
        self._active = 1 if active == "high" else 0
        # A level that was held through a sleep is let go.
        self._pin = machine.Pin(pin, machine.Pin.OUT, value=1 - self._active, **_LET_GO)

    def on(self):
        self._pin.value(self._active)

    def off(self):
        self._pin.value(1 - self._active)


class _Drain(_Output):
    def __init__(self, pin):
        self._active = 0
        self._pin = machine.Pin(pin, machine.Pin.OPEN_DRAIN, value=1)


def partition(label):
    """The data partition of that label. OSError: the flash has none."""
    found = esp32.Partition.find(esp32.Partition.TYPE_DATA, label=label)
    if not found:
        raise OSError("flash: no partition " + label)
    return found[0]


def watchdog(timeout_ms):
    """Resets the chip when its `.feed()` is not called for so long; it cannot be stopped."""
    return machine.WDT(timeout=timeout_ms)


def note(why):
    """Leaves `why` for the next boot, which is soon; at most 60 characters are kept."""
    write_rtc(why[:NOTE_MAX].encode())


def reset(why):
    """Resets the chip and leaves `why` for the next boot."""
    note(why)
    machine.reset()


def boot_cause():
    """(cause, note): cause as of the event `boot`, note in words or None. To be called once.

    The chip's own cause is lossy: a brown-out reads as power-on and a panic as a hard reset, so a
    meant reset leaves a note, and a power-on that finds RTC memory intact is a suspect brown-out.
    """
    global rtc_errors, rtc_tail
    memory = machine.RTC().memory()
    cause = _CAUSES.get(machine.reset_cause(), "hard")
    known = len(memory) > 2 and memory[:2] == _MARK
    note = b""
    if known:
        at = 3 + memory[2]
        note = memory[3:at]
        tail = at + 2 + int.from_bytes(memory[at : at + 2], "big")
        rtc_errors = memory[at + 2 : tail]
        # Memory that has seen a moment without power is not to be built on.
        rtc_tail = memory[tail:] if cause != "power_on" else b""
    write_rtc(b"")
    if known and cause == "power_on":
        return cause, "RTC memory was intact: brown-out?"
    if cause == "hard" and note:
        return "soft", note.decode()
    return cause, None


def write_rtc(note):
    """RTC memory: `note`, rtc_errors and rtc_tail."""
    length = len(rtc_errors).to_bytes(2, "big")
    machine.RTC().memory(_MARK + bytes([len(note)]) + note + length + rtc_errors + rtc_tail)


def keep_errors(kept):
    """Keeps `kept` (of errors.py) for the starts to come, until the power fails."""
    global rtc_errors
    rtc_errors = kept
    write_rtc(b"")


def idf_heap():
    """[free, largest piece, least ever free] bytes of ESP-IDF's own heap, which TLS and Wi-Fi use;
    None on a board without one."""
    regions = esp32.idf_heap_info(esp32.HEAP_DATA)
    if not regions:
        return None
    return [
        sum([r[1] for r in regions]),
        max([r[2] for r in regions]),
        sum([r[3] for r in regions]),
    ]


class Terminal:
    """The serial line that the log goes to: UART0, and the chip's own USB where it has one."""

    def __init__(self):
        self._input = sys.stdin.buffer
        self._output = sys.stdout.buffer
        self._byte = bytearray(1)
        self._poll = select.poll()
        self._poll.register(self._input, select.POLLIN)

    def read(self):
        """The next byte that has come, or -1; never waits, and takes no heap."""
        try:
            for _ in self._poll.ipoll(0):
                # One, because the port waits until it has as many as it is asked for.
                if self._input.readinto(self._byte):
                    return self._byte[0]
        except OSError:
            pass  # nobody is there
        return -1

    def write(self, line):
        self._output.write(line)

    def interruptible(self, on):
        """Whether Ctrl-C stops the application, or is a byte as any other."""
        micropython.kbd_intr(3 if on else -1)


class Wifi:
    """A station that is kept joined to the first of `networks` ([ssid, password], ...) that works.

    Pitfalls it knows: a connect() while one is under way raises "Wifi Internal Error"; the status
    may say "wrong password" after the access point has restarted, so no failure is final.
    """

    def __init__(self, networks, log, check_in):
        self._networks = networks
        self._log = log
        self._check_in = check_in
        self._station = network.WLAN(network.WLAN.IF_STA)

    def state(self):
        """What the station says of itself, for a technician; no password."""
        station = self._station
        if not station.isconnected():
            return {"joined": False, "status": station.status()}
        return {
            "joined": True,
            "ssid": station.config("ssid"),
            "channel": station.config("channel"),
            "rssi": station.status("rssi"),
            "ip": station.ifconfig()[0],
        }

    async def run(self):
        """Never returns. An access point may be gone for days: no reset would bring it back, and
        each would fill the journal by a boot."""
        failures = 0
        joined = False
        while True:
            self._check_in()
            if self._station.isconnected():
                joined = True
                failures = 0
                await asyncio.sleep_ms(_CHECK_MS)
                continue
            if joined:
                joined = False
                self._log("wifi: lost")
            ssid, password = self._networks[failures % len(self._networks)]
            if not await self._join(ssid, password, failures % _RADIO_FAILURES == 0):
                failures += 1
                self._log("wifi: %s not joined, status %s" % (ssid, self._station.status()))

    def _set_up(self):
        """Just before a connect: for who knows more of the network than its name."""

    async def _join(self, ssid, password, switch_radio, patience_ms=JOIN_MS):
        try:
            if switch_radio:
                self._station.active(False)
                self._station.active(True)
                # One task joins, this one; and no power saving, which delays what comes down.
                self._station.config(reconnects=0, pm=network.WLAN.PM_NONE)
            else:
                self._station.disconnect()
                await asyncio.sleep_ms(_REST_MS)
            self._set_up()
            self._station.connect(ssid, password)
        except OSError as error:
            self._log("wifi: %s: %s" % (ssid, error))
            await asyncio.sleep_ms(_REST_MS)
            return False
        began = uptime_ms()
        while uptime_ms() - began < patience_ms:
            self._check_in()
            if self._station.isconnected():
                self._log("wifi: joined " + ssid)
                return True
            await asyncio.sleep_ms(50)
        return False
