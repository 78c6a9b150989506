"""A card reader at the keypad and its PIN pad, over Wiegand.

- {"card": n, "bits": 26 | 34}: a card with these data bits;
- {"digits": "12#"}: keys of the PIN pad.
"""

import asyncio

import board


def _card(data, told):
    count = told.get("bits", 26)
    if count not in (26, 34) or not isinstance(data, int) or not 0 <= data < 1 << count - 2:
        raise ValueError("a card has 24 or 32 data bits, and bits is 26 or 34")
    bits = [data >> count - 3 - index & 1 for index in range(count - 2)]
    half = count // 2 - 1
    first, last = sum(bits[:half]) & 1, 1 - (sum(bits[half:]) & 1)
    bits.insert(0, first)
    bits.append(last)
    asyncio.create_task(_swipe([bits]))


def _digits(text, told):
    keys = ["0123456789*#".index(char) for char in text]
    frames = [[key >> 3 & 1, key >> 2 & 1, key >> 1 & 1, key & 1] for key in keys]
    asyncio.create_task(_swipe(frames))


async def _swipe(frames):
    pins = board.current.pins
    for frame in frames:
        for bit in frame:
            board.current.pads.pulse(pins["d1" if bit else "d0"])
            await asyncio.sleep_ms(2)
        await asyncio.sleep_ms(150)


DEEDS = {"card": _card, "digits": _digits}
