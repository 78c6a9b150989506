/* Where the stores of a scan go on a Raspberry Pi: this takes the place of firmware/native/port.h,
 * and has its guard. Include it before scan.c.
 *
 * Here: the three ways in which a scan stores: put(), clocks(), rest(). Never in this file: a
 * decision about what is stored, or anything that takes longer for one word than for another.
 *
 * The Pi has no register of the levels of all outputs, so a pixel clock takes three stores: clear,
 * set, clock. Its bus is faster than a panel, at a speed that differs from board to board, so each
 * store is repeated: `repeats` is such that a pair of stores lasts 100 ns and longer, and a clock
 * half as long again, below 7 MHz. 74HC595 on a ribbon cable should get less than 10 MHz.
 */
#ifndef HALLKIT_PORT_H
#define HALLKIT_PORT_H

#include <stddef.h>
#include <stdint.h>

/* GPSET0 and GPCLR0, as words behind the first of the GPIO registers (BCM2835 ARM Peripherals, 6.1;
 * the BCM2836, BCM2837 and BCM2711 have them at the same places). */
enum { PI_SET = 0x1C / 4, PI_CLEAR = 0x28 / 4, PI_WORDS = 0x2C / 4 };

enum { PI_PAIR_NS = 100 };

struct port {
    volatile uint32_t *registers;
    uint32_t repeats;
    uint32_t clock, data;
};

#define PORT_ROOM(port, words) 1

/* The tests put something that records in its place. */
#ifndef PI_STORE
#define PI_STORE(port, place, mask) ((port)->registers[place] = (mask))
#endif

static void store(struct port *port, uint32_t place, uint32_t mask)
{
    for (uint32_t i = port->repeats; i; i--)
        PI_STORE(port, place, mask);
}

static void put(struct port *port, uint32_t clear, uint32_t set)
{
    store(port, PI_CLEAR, clear);
    store(port, PI_SET, set);
}

static void clocks(struct port *port, const uint32_t *word, uint32_t count)
{
    uint32_t clock = port->clock, lines = clock | port->data;
    for (; count; count--, word++) {
        put(port, lines & ~*word, *word);
        store(port, PI_SET, clock);
    }
}

static void rest(struct port *port, uint32_t pairs)
{
    for (; pairs; pairs--)
        put(port, 0, 0);
}

#endif
