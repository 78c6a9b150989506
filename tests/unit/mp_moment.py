"""The world's clock beside a host's that only this script moves.

stdout: for each deed, what the world's clock gave.
"""

import moment


class Host:
    """`time`, and the file in which the kernel counts how long this process waited for its turn."""

    now = 1_000_000
    waited = 5_000

    def ticks_us(self):
        return self.now

    def seek(self, place):
        assert place == 0

    def read(self, most):
        return b"123456 %d 17\n" % (self.waited * 1000)


host = moment.time = moment._turns = Host()
moment._last = host.now


def pass_us(us, starved_us=0):
    host.now += us
    host.waited += starved_us
    print(moment.now_us())


pass_us(0)
pass_us(900_000)  # it slept because it had nothing to do, or the firmware stood still
pass_us(5_000)
pass_us(15_000, 10_000)  # nobody misses anything by that, and it is not lost for the next
pass_us(700_000, 650_000)  # it was to be run, and was not
pass_us(1_000)
pass_us(30_000, 90_000)  # the kernel's own count is not the clock's: never back
moment._turns = None  # a kernel that does not count
pass_us(700_000, 650_000)
