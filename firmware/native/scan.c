/* Builds a picture into a program of register stores, and plays it.
 *
 * Never in this file: static data or tables (text may live where only whole words can be read),
 * libc, division (a call of the compiler's library), an allocation, an address that comes from a
 * program, or anything of MicroPython or of one chip. All buffers are the caller's, and every
 * length is checked before the first store.
 *
 * A program is one word for each pixel clock: the data lines that are high. A clock takes two
 * stores, whatever the picture: all outputs at once, which changes the data as the clock falls, and
 * then the clock alone, which rises (port.h). So data is stable for one store before the clock
 * rises, and changes after that only as the clock falls.
 *
 * The order of a row: shift the next row while this one is lit; then light off, the rest of the
 * shifting, address and latch, dead time, light on. While a row is lit the same is done whichever
 * it is, so each is lit for the same time: the last one, too, has a row shifted beside it. The last
 * stores switch the light off, whatever a program that was written by someone else may have lit.
 */

#include "scan.h"

/* What is used more than once, or would take registers from the loop around it. */
#define APART static __attribute__((noinline))

/* A program: which lines its words hold, and their number; then the words. */
enum { PROGRAM_DATA, PROGRAM_CLOCKS, PROGRAM_WORDS };

enum { SCANS_MAX = 32, GROUPS_MAX = 256, LINES_MAX = 8 };

/* A checked description. */
struct panel {
    const uint32_t *scan;  /* {clear, set, offset} */
    const uint32_t *group; /* offset */
    const uint32_t *line;  /* {mask, offset} */
    size_t clocks;         /* of one row */
};

/* Whether there are a clock and data, and no line has two parts to play: so nothing but the light
 * lights, and while it does nothing moves but the clock and the data. */
static int lines_agree(const struct panel *panel, const uint32_t *word)
{
    uint32_t data = 0, steady = word[SCAN_START_CLEAR] | word[SCAN_START_SET];
    for (const uint32_t *line = panel->line; line < panel->line + 2 * word[SCAN_LINES]; line += 2)
        data |= *line;
    for (const uint32_t *scan = panel->scan; scan < panel->group; scan += 3)
        steady |= scan[0] | scan[1];
    uint32_t light = word[SCAN_ENABLE], shift = word[SCAN_CLOCK] | word[SCAN_DATA];
    return !(
        (data & ~word[SCAN_DATA]) | (word[SCAN_LIGHT] & ~light) | (light & shift) |
        (steady & (light | shift)) | (word[SCAN_CLOCK] & word[SCAN_DATA]) | !word[SCAN_CLOCK] |
        !word[SCAN_DATA]);
}

APART int32_t check(
    struct panel *panel, const struct scan_words *program, const struct scan_words *description)
{
    const uint32_t *word = description->words;
    size_t words = description->bytes / 4;
    if (((uintptr_t)word | (uintptr_t)program->words) & 3)
        return SCAN_UNALIGNED;
    if (words < SCAN_TABLES || word[SCAN_LAYOUT] != SCAN_VERSION)
        return SCAN_BAD_LAYOUT;
    uint32_t scans = word[SCAN_SCANS], groups = word[SCAN_GROUPS], lines = word[SCAN_LINES];
    if (scans - 1 >= SCANS_MAX || groups - 1 >= GROUPS_MAX || lines - 1 >= LINES_MAX)
        return SCAN_BAD_SHAPE;
    if (words < SCAN_TABLES + 3 * scans + groups + 2 * lines)
        return SCAN_BAD_LAYOUT;
    uint32_t lit = word[SCAN_LIT], dead = word[SCAN_DEAD];
    if ((lit | dead) >> 15 || scans * (lit + dead) > SCAN_FRAME_PAIRS)
        return SCAN_BAD_TIMES;
    panel->scan = word + SCAN_TABLES;
    panel->group = panel->scan + 3 * scans;
    panel->line = panel->group + groups;
    panel->clocks = 8 * groups;
    return lines_agree(panel, word) ? 0 : SCAN_BAD_LINES;
}

SCAN_API int32_t scan_build(
    const struct scan_words *program,
    const uint8_t *picture,
    size_t picture_bytes,
    const struct scan_words *description)
{
    struct panel panel;
    int32_t error = check(&panel, program, description);
    if (error)
        return error;
    const uint32_t *word = description->words;
    uint32_t *out = program->words, clocks = panel.clocks * word[SCAN_SCANS];
    if (program->bytes / 4 < PROGRAM_WORDS + clocks)
        return SCAN_SHORT_PROGRAM;

    out[PROGRAM_CLOCKS] = 0; /* no panel's program, until it is complete */
    out += PROGRAM_WORDS;
    for (const uint32_t *scan = panel.scan; scan < panel.group; scan += 3) {
        for (const uint32_t *group = panel.group; group < panel.line; group++, out += 8) {
            for (uint32_t i = 0; i < 8; i++)
                out[i] = 0;
            const uint32_t *line = panel.line;
            for (uint32_t i = word[SCAN_LINES]; i; i--, line += 2) {
                uint32_t at = scan[2] + *group + line[1];
                if (at >= picture_bytes)
                    return SCAN_SHORT_PICTURE;
                uint32_t high = picture[at] ^ word[SCAN_DARK];
                for (uint32_t *clock = out; clock < out + 8; clock++, high <<= 1)
                    if (high & 0x80)
                        *clock |= *line;
            }
        }
    }
    out = program->words;
    out[PROGRAM_DATA] = word[SCAN_DATA];
    out[PROGRAM_CLOCKS] = clocks;
    return (int32_t)(4 * (PROGRAM_WORDS + clocks));
}

/* Switches the light on or off. */
APART void light(struct port *port, const uint32_t *word, int on)
{
    uint32_t high = word[SCAN_LIGHT], low = word[SCAN_ENABLE] ^ high;
    if (on)
        put(port, low, high);
    else
        put(port, high, low);
}

static void frame_of(
    struct port *port, const uint32_t *first, const struct panel *panel, const uint32_t *word)
{
    const uint32_t *next = first;
    uint32_t lit = word[SCAN_LIT], while_lit = panel->clocks < lit ? panel->clocks : lit;
    uint32_t shifted = 0;
    for (const uint32_t *scan = panel->scan; scan < panel->group; scan += 3) {
        clocks(port, next + shifted, panel->clocks - shifted);
        put(port, scan[0], scan[1]);
        put(port, word[SCAN_START_CLEAR], word[SCAN_START_SET]);
        rest(port, word[SCAN_DEAD]);
        next = scan + 3 < panel->group ? next + panel->clocks : first;
        /* Decided here, in the dark: a compiler would like to do it while the row is lit. */
        __asm__ volatile("" : "+r"(next));
        light(port, word, 1);
        clocks(port, next, while_lit);
        rest(port, lit - while_lit);
        light(port, word, 0);
        shifted = while_lit;
    }
}

SCAN_API int32_t scan_play(
    struct port *port, const struct scan_words *program, const struct scan_words *description)
{
    struct panel panel;
    int32_t error = check(&panel, program ? program : description, description);
    if (error)
        return error;
    const uint32_t *word = description->words;
    uint32_t clocks_all = panel.clocks * word[SCAN_SCANS];
    if (program && (program->bytes / 4 < PROGRAM_WORDS + clocks_all ||
                    program->words[PROGRAM_CLOCKS] != clocks_all ||
                    program->words[PROGRAM_DATA] != word[SCAN_DATA]))
        return SCAN_FOREIGN_PROGRAM;
    if (!PORT_ROOM(port, SCAN_LOG_WORDS(word[SCAN_SCANS], panel.clocks)))
        return SCAN_SHORT_LOG;
    port->clock = word[SCAN_CLOCK];
    port->data = word[SCAN_DATA];
    light(port, word, 0);
    if (program)
        frame_of(port, program->words + PROGRAM_WORDS, &panel, word);
    return 0;
}
