/* Where the stores of a scan go: a chip's registers, or a log.
 *
 * Here: PUT and rest(), nothing else. Never in this file: a decision about what is stored, or
 * anything that takes longer for one store than for another.
 */
#ifndef HALLKIT_PORT_H
#define HALLKIT_PORT_H

#include <stddef.h>
#include <stdint.h>

#ifdef SCAN_LOG

/* For simulation and previews: every store is appended as one word. The stores of a scan alternate,
 * first clear, then set, so the word's position says which register it went to. A rest is the one
 * pair that no scan stores, SCAN_LOG_REST and then the number of pairs of zeros that it stands for. */
struct port {
    uint32_t *first, *next, *end;
};

#define SCAN_LOG_REST 0xFFFFFFFFu
#define PUT(port, reg, mask) (*(port).next++ = (mask))
#define PORT_ROOM(port, words) ((size_t)((port).end - (port).next) >= (words))
#define PORT_TURN 1
#define PORT_STORED(port) ((port).next - (port).first)

static __attribute__((noinline)) void rest(struct port *port, uint32_t pairs)
{
    if (pairs) {
        *port->next++ = SCAN_LOG_REST;
        *port->next++ = pairs;
    }
}

#else

/* Two registers, each at an address of its own. The empty statement keeps the stores apart and in
 * order; `volatile` would do so too, but makes clang wait for the bus (memw) at each on Xtensa. */
struct port {
    uint32_t *clear, *set;
};

#define PUT(port, reg, mask)                 \
    do {                                     \
        *(port).reg = (mask);                \
        __asm__ volatile("" : : : "memory"); \
    } while (0)
#define PORT_ROOM(port, words) 1
#define PORT_TURN 8
#define PORT_STORED(port) 0

/* Lets time pass as stores take it, whatever the clock of the CPU: by stores that change nothing. */
static __attribute__((noinline)) void rest(struct port *port, uint32_t pairs)
{
    struct port p = *port;
    for (; pairs; pairs--) {
        PUT(p, clear, 0);
        PUT(p, set, 0);
    }
}

#endif
#endif
