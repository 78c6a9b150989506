/* Where the stores of a scan go: a chip's registers, or a log.
 *
 * Here: opening a port, and the three ways in which a scan stores: put(), clocks(), rest(). Never
 * in this file: a decision about what is stored, or anything that takes longer for one word than
 * for another.
 */
#ifndef HALLKIT_PORT_H
#define HALLKIT_PORT_H

#include <stddef.h>
#include <stdint.h>

#define PORT_API static __attribute__((noinline))

#ifdef SCAN_LOG

/* For simulation and previews. The first word is the level of all outputs, before and after. Then:
 *   clear, set                   put()
 *   PORT_CLOCKS, n, n levels     clocks(): each level of all outputs, and after it the clock is set
 *   PORT_REST, n                 rest()
 * No clear mask looks like one of the two marks: in each the bits of the clock and of the data are
 * 0, and a panel has both (scan.c, lines_agree). */
struct port {
    uint32_t *level, *next, *end;
    uint32_t clock, data;
};

#define PORT_CLOCKS 0xFFFFFFFEu
#define PORT_REST 0xFFFFFFFFu
#define PORT_ROOM(port, words) ((size_t)((port)->end - (port)->next) >= (words))
#define PORT_STORED(port) ((int32_t)((port)->next - (port)->level))

PORT_API void put(struct port *port, uint32_t clear, uint32_t set)
{
    *port->next++ = clear;
    *port->next++ = set;
    *port->level = (*port->level & ~clear) | set;
}

PORT_API void clocks(struct port *port, const uint32_t *word, uint32_t count)
{
    uint32_t base = *port->level & ~(port->clock | port->data);
    uint32_t *next = port->next;
    if (!count)
        return;
    *next++ = PORT_CLOCKS;
    *next++ = count;
    for (; count; count--)
        *next++ = base | *word++;
    *port->level = next[-1] | port->clock;
    port->next = next;
}

PORT_API void rest(struct port *port, uint32_t pairs)
{
    if (!pairs)
        return;
    *port->next++ = PORT_REST;
    *port->next++ = pairs;
}

#else

/* Three registers of a chip: the levels of outputs 0 to 31, and those that set and that clear the
 * outputs whose bits are written. No register is stored to twice in a row: the ESP32's erratum
 * CPU-3.3 may lose the second store. */
struct port {
    uint32_t *out;
    uint32_t clock, data;
};

#define PORT_ROOM(port, words) 1
#define PORT_STORED(port) 0

/* The empty statement keeps the stores apart and in order; `volatile` would do so too, but makes
 * clang wait for the bus (memw) at each on Xtensa. */
#define PORT_PUT(reg, mask)                  \
    do {                                     \
        (reg) = (mask);                      \
        __asm__ volatile("" : : : "memory"); \
    } while (0)
/* GPIO_OUT, _OUT_W1TS and _OUT_W1TC follow each other (technical reference manuals). */
enum { PORT_OUT, PORT_SET, PORT_CLEAR };

PORT_API void put(struct port *port, uint32_t clear, uint32_t set)
{
    PORT_PUT(port->out[PORT_CLEAR], clear);
    PORT_PUT(port->out[PORT_SET], set);
}

#define PORT_ONE_CLOCK(at)                        \
    do {                                          \
        PORT_PUT(out[PORT_OUT], base | word[at]); \
        PORT_PUT(out[PORT_SET], clock);           \
    } while (0)

/* The clock falls as the data changes, half a period before it rises. An output that is not the
 * panel's keeps the level that it has at the start. Eight clocks a turn: the more, the less is
 * spent on anything but stores. */
PORT_API void clocks(struct port *port, const uint32_t *word, uint32_t count)
{
    uint32_t *out = port->out, clock = port->clock;
    uint32_t base = *(volatile uint32_t *)out & ~(clock | port->data);
    const uint32_t *turns = word + (count & ~7u), *end = word + count;
    /* The end as a value that the compiler cannot know: else it counts beside the pointer. */
    __asm__("" : "+r"(turns));
    for (; word != turns; word += 8) {
        PORT_ONE_CLOCK(0);
        PORT_ONE_CLOCK(1);
        PORT_ONE_CLOCK(2);
        PORT_ONE_CLOCK(3);
        PORT_ONE_CLOCK(4);
        PORT_ONE_CLOCK(5);
        PORT_ONE_CLOCK(6);
        PORT_ONE_CLOCK(7);
    }
    for (; word != end; word++)
        PORT_ONE_CLOCK(0);
}

/* Lets time pass as stores take it, whatever the CPU's clock: by stores that change nothing. */
PORT_API void rest(struct port *port, uint32_t pairs)
{
    uint32_t *out = port->out;
    for (; pairs; pairs--) {
        PORT_PUT(out[PORT_CLEAR], 0);
        PORT_PUT(out[PORT_SET], 0);
    }
}

#endif
#endif
