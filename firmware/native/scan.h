/* The refresh of LED panels that have no controller of their own: what scan.c offers.
 *
 * Here: the panel description, the errors, the two functions. Never in this file: anything of
 * MicroPython, CPython or one chip; module.c and port.h know those.
 */
#ifndef HALLKIT_SCAN_H
#define HALLKIT_SCAN_H

#include <stddef.h>
#include <stdint.h>

#include "port.h"

/* Whoever includes scan.c in a source of his own says `static`. */
#ifndef SCAN_API
#define SCAN_API
#endif

/* A panel description is an array of 32-bit words. First these, then three tables:
 *   scans times {clear, set, byte offset}: the pair that selects the scan's rows and latches
 *   groups times byte offset
 *   lines times {data line, byte offset}
 * Eight pixels, leftmost first, go out as one group of eight clocks on each data line; they are the
 * picture's byte at the sum of the three offsets: of the scan, of the group, and of the line.
 * Lines are masks of GPIO 0 to 31. Times are counted in pairs of register stores, about 100 ns each
 * on an ESP32 at 240 MHz (one published measurement of 12 cycles a store). */
enum {
    SCAN_LAYOUT,      /* SCAN_VERSION */
    SCAN_REGISTERS,   /* where the chip's GPIO registers begin */
    SCAN_ENABLE,      /* the line that lights a row; in no other mask */
    SCAN_LIGHT,       /* its level that lights: SCAN_ENABLE for high, 0 for low */
    SCAN_CLOCK,       /* the line at whose rising edge a dot is shifted */
    SCAN_DATA,        /* all lines of the third table */
    SCAN_START_CLEAR, /* the pair that ends a latch pulse, and keeps dark the data lines that no */
    SCAN_START_SET,   /* picture goes to */
    SCAN_DARK,        /* 0xFF when a data line lights a dot by its low level, else 0 */
    SCAN_SCANS,       /* 1 to 32 */
    SCAN_GROUPS,      /* 1 to 256 */
    SCAN_LINES,       /* 1 to 8 */
    SCAN_LIT,         /* pairs that each row is lit */
    SCAN_DEAD,        /* pairs of dark between latch and light */
    SCAN_TABLES
};

enum { SCAN_VERSION = 1 };

/* Bounds the time of a frame, about 3 ms on an ESP32: light and dead time of all rows, in pairs. */
enum { SCAN_FRAME_PAIRS = 30000 };

enum {
    SCAN_BAD_LAYOUT = -1,      /* description: another version, or shorter than its tables */
    SCAN_BAD_SHAPE = -2,       /* description: scans, groups or lines out of range */
    SCAN_BAD_LINES = -3,       /* description: no clock, no data, a data line not in SCAN_DATA, or a
                                  line of two uses */
    SCAN_BAD_TIMES = -4,       /* description: the frame is too long */
    SCAN_SHORT_PICTURE = -5,   /* an offset points behind the picture */
    SCAN_SHORT_PROGRAM = -6,   /* the program buffer has no room for two words and one a clock */
    SCAN_FOREIGN_PROGRAM = -7, /* never built, or built for another description */
    SCAN_SHORT_LOG = -8,       /* the frame's stores may not fit the log */
    SCAN_UNALIGNED = -9,       /* a buffer of words does not begin at a word */
    SCAN_BAD_REGISTERS = -10,  /* description: not where a known chip has its GPIO registers */
    SCAN_OVERLAP = -11         /* a buffer that is written shares memory with one that is read */
};

/* A buffer of the caller's. One that a function writes (the program of scan_build, a log) may share
 * no memory with its other buffers: the caller sees to that, by scan_apart. */
struct scan_words {
    uint32_t *words;
    size_t bytes;
};

/* Words in a log that a frame needs at most, beside the first. */
#define SCAN_LOG_WORDS(scans, clocks) (2 + (clocks) + (scans) * (16 + (clocks)))

/* Whether two buffers share no memory. */
static inline int scan_apart(const struct scan_words *a, const struct scan_words *b)
{
    uintptr_t first = (uintptr_t)a->words, second = (uintptr_t)b->words;
    return first < second ? a->bytes <= second - first : b->bytes <= first - second;
}

/* Writes the program that shows `picture` (rows of bytes, leftmost pixel in the highest bit;
 * several colours as one such picture after the other). Returns its bytes, or an error. */
SCAN_API int32_t scan_build(
    const struct scan_words *program,
    const uint8_t *picture,
    size_t picture_bytes,
    const struct scan_words *description);

/* Plays one whole frame, row by row, and always ends dark; without a program (NULL) it only
 * switches the light off. Returns 0 or an error; after an error nothing was stored. */
SCAN_API int32_t scan_play(
    struct port *port, const struct scan_words *program, const struct scan_words *description);

#endif
