/* Inner loops in the manner of well-known libraries, restated for a count: what each of them does
 * for one pixel clock, and nothing around it.
 *
 * Here: our own few lines for each idea, written from descriptions of it (docs/benchmarks.md names
 * the libraries), each with the form of picture that it wants. Never in this file: code of those
 * libraries, and what the firmware ships.
 *
 *   name(picture, wiring): the wiring is words, see below; a longer picture runs longer
 */

#include "abi.h"

/* GPIO_OUT_W1TS and _OUT_W1TC, in words behind the base; those of GPIO 32 and above, three on. */
enum { SET = 2, CLEAR = 3, UPPER = 3 };
/* In the place of a SPI controller: data, "start", and a status that says that it is done. */
enum { SPI_DATA = 64, SPI_START = 65, SPI_STATUS = 66 };

/* Words of the wiring. */
enum { REGISTERS, CLOCK, DATA, CLOCK_PIN, DATA_PIN };

struct job {
    const uint8_t *picture;
    size_t bytes;
    uint32_t *registers;
    const uint32_t *wiring;
};

/* The libraries store through pointers to volatile, before each of which both gcc and clang wait
 * for the bus (memw) on Xtensa. With UNSERIALIZED the same stores are made as
 * firmware/native/port.h makes its own. */
#ifdef UNSERIALIZED
#define STORE(place, mask)                   \
    do {                                     \
        (place) = (mask);                    \
        __asm__ volatile("" : : : "memory"); \
    } while (0)
#else
#define STORE(place, mask) (*(volatile uint32_t *)&(place) = (mask))
#endif

/* A function that knows pins: is there such a pin, in which register is it, up or down? */
static __attribute__((noinline)) void write_pin(uint32_t *registers, uint32_t pin, uint32_t high)
{
    if (pin >= 40)
        return;
    if (pin >= 32) {
        registers += UPPER;
        pin -= 32;
    }
    if (high)
        STORE(registers[SET], 1u << pin);
    else
        STORE(registers[CLEAR], 1u << pin);
}

/* Eight dots in a byte; three calls for a dot. */
static void pin_by_pin(const struct job *job)
{
    uint32_t clock = job->wiring[CLOCK_PIN], data = job->wiring[DATA_PIN];
    for (const uint8_t *byte = job->picture; byte < job->picture + job->bytes; byte++)
        for (uint32_t mask = 0x80; mask; mask >>= 1) {
            write_pin(job->registers, data, *byte & mask);
            write_pin(job->registers, clock, 1);
            write_pin(job->registers, clock, 0);
        }
}

/* Eight dots in a byte; set or clear, then clock up, clock down. */
static void bit_by_bit(const struct job *job)
{
    uint32_t *registers = job->registers, clock = job->wiring[CLOCK], data = job->wiring[DATA];
    for (const uint8_t *byte = job->picture; byte < job->picture + job->bytes; byte++)
        for (uint32_t mask = 0x80; mask; mask >>= 1) {
            if (*byte & mask)
                STORE(registers[SET], data);
            else
                STORE(registers[CLEAR], data);
            STORE(registers[SET], clock);
            STORE(registers[CLEAR], clock);
        }
}

/* All data lines of a clock as a word; the lines that are low and the clock are cleared at once. */
static void masked_words(const struct job *job)
{
    uint32_t *registers = job->registers, clock = job->wiring[CLOCK], data = job->wiring[DATA];
    const uint32_t *end = (const uint32_t *)(job->picture + job->bytes);
    for (const uint32_t *word = (const uint32_t *)job->picture; word < end; word++) {
        STORE(registers[CLEAR], (~*word & data) | clock);
        STORE(registers[SET], *word & data);
        STORE(registers[SET], clock);
    }
}

/* All data lines of a clock as a byte of neighbouring pins, here the lowest eight; eight clocks a
 * turn. A store that clears nothing keeps the two that set apart (the ESP32's erratum). */
#define BYTE_CLOCK(at)                   \
    do {                                 \
        STORE(registers[SET], byte[at]); \
        STORE(registers[CLEAR], 0);      \
        STORE(registers[SET], clock);    \
        STORE(registers[CLEAR], all);    \
    } while (0)

static void bytes_of_lines(const struct job *job)
{
    uint32_t *registers = job->registers, clock = job->wiring[CLOCK];
    uint32_t all = clock | job->wiring[DATA];
    for (const uint8_t *byte = job->picture; byte < job->picture + job->bytes; byte += 8) {
        BYTE_CLOCK(0);
        BYTE_CLOCK(1);
        BYTE_CLOCK(2);
        BYTE_CLOCK(3);
        BYTE_CLOCK(4);
        BYTE_CLOCK(5);
        BYTE_CLOCK(6);
        BYTE_CLOCK(7);
    }
}

/* One data line as a SPI bus: eight dots a byte, and a wait until they are out. */
static void spi_bytes(const struct job *job)
{
    uint32_t *registers = job->registers;
    for (const uint8_t *byte = job->picture; byte < job->picture + job->bytes; byte++) {
        STORE(registers[SPI_DATA], *byte);
        STORE(registers[SPI_START], 1);
        while (*(volatile uint32_t *)&registers[SPI_STATUS])
            ;
    }
}

static void open_job(
    struct job *job, struct mp_function *self, size_t count, size_t keywords, mp_object *args)
{
    struct mp_buffer buffer;
    (void)self;
    mp_check_count(count, keywords, 2);
    mp_get_buffer(args[0], MP_READ, &buffer);
    job->picture = buffer.bytes;
    job->bytes = buffer.length;
    mp_get_buffer(args[1], MP_READ, &buffer);
    job->wiring = buffer.bytes;
    job->registers = (uint32_t *)(uintptr_t)job->wiring[REGISTERS];
}

#define CALLED(name)                                                                            \
    static mp_object call_##name(struct mp_function *self, size_t n, size_t k, mp_object *args) \
    {                                                                                           \
        struct job job;                                                                         \
        open_job(&job, self, n, k, args);                                                       \
        name(&job);                                                                             \
        return mp_from_int(0);                                                                  \
    }

CALLED(pin_by_pin)
CALLED(bit_by_bit)
CALLED(masked_words)
CALLED(bytes_of_lines)
CALLED(spi_bytes)

static void define(const struct mp_context *context, size_t name, mp_native code)
{
    mp_store_global(context->names[name], mp_make_function(context, code));
}

mp_object mpy_init(struct mp_function *self, size_t count, size_t keywords, mp_object *args)
{
    const struct mp_context *context = self->context;
    mp_object before = mp_swap_globals(context->globals);
    (void)count;
    (void)keywords;
    (void)args;
    define(context, MP_QSTR_pin_by_pin, call_pin_by_pin);
    define(context, MP_QSTR_bit_by_bit, call_bit_by_bit);
    define(context, MP_QSTR_masked_words, call_masked_words);
    define(context, MP_QSTR_bytes_of_lines, call_bytes_of_lines);
    define(context, MP_QSTR_spi_bytes, call_spi_bytes);
    mp_swap_globals(before);
    return mp_none();
}
