/* Builds a picture into a program of register stores, and plays it.
 *
 * Never in this file: static data or tables (text may live where only whole words can be read),
 * libc, division (a call of the compiler's library), an allocation, an address that comes from a
 * program, or anything of MicroPython or of one chip. All buffers are the caller's, and every
 * length is checked before the first store.
 *
 * A program is pairs of words: what to clear, then what to set. A pixel clock takes one pair when
 * no data line rises: the data falls as the clock does, and the same pair raises the clock again.
 * When a line rises the clock must follow in a second pair. So no register is ever stored twice in
 * a row (erratum CPU-3.3 of the ESP32 may lose the second store), data is stable for one store or
 * more before the clock rises, and changes after that only as the clock falls.
 *
 * The order of a row: shift the next row while this one is lit; then light off, address, latch,
 * dead time, light on. Each row is lit for the same number of pairs, whatever its length.
 */

#include "scan.h"

/* What is used more than once, or would take registers from the loop around it. */
#define APART static __attribute__((noinline))

/* A program: the lines that a row's start clears, the number of scans, the index of the first word
 * of each scan and of the end, then the pairs. */
enum { PROGRAM_LINES, PROGRAM_SCANS, PROGRAM_STARTS };

enum { SCANS_MAX = 32, GROUPS_MAX = 256, LINES_MAX = 8 };

/* The tables of a checked description-> */
struct panel {
    const uint32_t *scan;  /* {clear, set, offset} */
    const uint32_t *group; /* offset */
    const uint32_t *line;  /* {mask, offset} */
};

/* Whether the start of a row clears all that the row moves, and nothing but the light can light. */
static int lines_agree(const struct panel *panel, const uint32_t *word)
{
    uint32_t row = word[SCAN_CLOCK], others = word[SCAN_START_CLEAR] | word[SCAN_START_SET];
    for (const uint32_t *line = panel->line; line < panel->line + 2 * word[SCAN_LINES]; line += 2)
        row |= *line;
    for (const uint32_t *scan = panel->scan; scan < panel->group; scan += 3)
        others |= scan[0] | scan[1];
    if (row & (~word[SCAN_START_CLEAR] | word[SCAN_START_SET]))
        return 0;
    return !(others & word[SCAN_ENABLE]) && !(word[SCAN_LIGHT] & ~word[SCAN_ENABLE]);
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
    uint32_t scans = word[SCAN_SCANS], lines = word[SCAN_LINES], clock = word[SCAN_CLOCK];
    uint32_t *start = program->words;
    /* One line rises at most every other clock, but one of several lines may do so at each. */
    uint32_t pairs = (lines == 1 ? 12 : 16) * word[SCAN_GROUPS] * scans;
    if (program->bytes / 4 < PROGRAM_STARTS + scans + 1 + 2 * pairs)
        return SCAN_SHORT_PROGRAM;

    *start++ = 0; /* no panel's program, until it is complete */
    *start++ = scans;
    uint32_t *out = start + scans + 1;
    for (const uint32_t *scan = panel.scan; scan < panel.group; scan += 3) {
        *start++ = out - program->words;
        uint32_t level = 0; /* each row is played after its lines were all cleared */
        for (const uint32_t *group = panel.group; group < panel.line; group++) {
            for (uint32_t bit = 0x80; bit; bit >>= 1) {
                uint32_t high = 0;
                const uint32_t *line = panel.line;
                for (uint32_t i = lines; i; i--, line += 2) {
                    uint32_t byte = scan[2] + *group + line[1];
                    if (byte >= picture_bytes)
                        return SCAN_SHORT_PICTURE;
                    if ((picture[byte] ^ word[SCAN_DARK]) & bit)
                        high |= line[0];
                }
                uint32_t rise = high & ~level;
                *out++ = clock | (level & ~high);
                if (rise) {
                    *out++ = rise;
                    *out++ = 0;
                }
                *out++ = clock;
                level = high;
            }
        }
    }
    *start = out - program->words;
    program->words[PROGRAM_LINES] = word[SCAN_START_CLEAR];
    return 4 * *start;
}

/* Whether the program is for this panel, and its rows lie in the buffer one after the other. */
static int program_fits(const uint32_t *word, const struct scan_words *program)
{
    const uint32_t *start = program->words;
    uint32_t scans = word[SCAN_SCANS], index = PROGRAM_STARTS + scans + 1;
    uint32_t longest = index + 32 * word[SCAN_GROUPS] * scans;
    size_t length = program->bytes / 4;
    if (length > longest)
        length = longest;
    if (length < index || *start++ != word[SCAN_START_CLEAR] || *start++ != scans || *start != index)
        return 0;
    for (; scans; scans--, start++)
        if (start[1] < start[0])
            return 0;
    return *start <= length;
}

#define PLAY(at)               \
    do {                       \
        PUT(p, clear, at[0]);  \
        PUT(p, set, at[1]);    \
    } while (0)

/* Plays pairs, PORT_TURN (1 or 8) a turn: the more, the less is spent on anything but stores. */
APART void play(struct port *port, const uint32_t *pair, uint32_t count)
{
    struct port p = *port;
    const uint32_t *end = pair + 2 * count;
#if PORT_TURN == 8
    const uint32_t *turns = pair + 2 * (count & ~7u);
    /* The end as a value that the compiler cannot know: else it counts beside the pointer. */
    __asm__("" : "+r"(turns));
    for (; pair != turns; pair += 16) {
        PLAY(pair);
        PLAY((pair + 2));
        PLAY((pair + 4));
        PLAY((pair + 6));
        PLAY((pair + 8));
        PLAY((pair + 10));
        PLAY((pair + 12));
        PLAY((pair + 14));
    }
#endif
    for (; pair != end; pair += 2)
        PLAY(pair);
    *port = p;
}

static void put(struct port *port, const uint32_t *pair)
{
    play(port, pair, 1);
}

/* Switches the light on or off. */
APART void light(struct port *port, const uint32_t *word, int on)
{
    uint32_t pair[2], enable = word[SCAN_ENABLE], high = word[SCAN_LIGHT];
    pair[on] = high;
    pair[!on] = enable ^ high;
    put(port, pair);
}

SCAN_API int32_t scan_frame(
    struct port *port, const struct scan_words *program, const struct scan_words *description)
{
    struct panel panel;
    int32_t error = check(&panel, program, description);
    if (error)
        return error;
    const uint32_t *word = description->words, *start = program->words + PROGRAM_STARTS;
    if (!program_fits(word, program))
        return SCAN_FOREIGN_PROGRAM;
    /* A row's control takes four pairs and two rests. */
    if (!PORT_ROOM(*port, start[word[SCAN_SCANS]] + 4 + 12 * word[SCAN_SCANS]))
        return SCAN_SHORT_LOG;

    light(port, word, 0);
    put(port, word + SCAN_START_CLEAR);
    const uint32_t *row = program->words + start[0], *next = program->words + start[1];
    play(port, row, (next - row) >> 1);
    for (const uint32_t *scan = panel.scan; scan < panel.group; scan += 3) {
        put(port, scan);
        put(port, word + SCAN_START_CLEAR);
        rest(port, word[SCAN_DEAD]);
        /* Nothing is left to shift while the last row is lit. */
        row = next;
        if (scan + 3 < panel.group)
            next = program->words + start[2];
        start++;
        uint32_t count = (next - row) >> 1, lit = word[SCAN_LIT];
        uint32_t while_lit = count < lit ? count : lit;
        light(port, word, 1);
        play(port, row, while_lit);
        rest(port, lit - while_lit);
        light(port, word, 0);
        play(port, row + 2 * while_lit, count - while_lit);
    }
    return 0;
}

SCAN_API int32_t scan_blank(struct port *port, const struct scan_words *description)
{
    struct panel panel;
    int32_t error = check(&panel, description, description);
    if (error)
        return error;
    if (!PORT_ROOM(*port, 2))
        return SCAN_SHORT_LOG;
    light(port, description->words, 0);
    return 0;
}
