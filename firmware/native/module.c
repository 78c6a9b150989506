/* The scan as a MicroPython module: build, frame, blank, version.
 *
 * Here: arguments in, results and exceptions out, and which registers may be stored to. Never in
 * this file: what a panel wants (scan.c), strings or tables (no static data: see abi.h).
 *
 *   build(program, picture, description) -> bytes of the program in use
 *   frame(program, description)                  on a chip: plays into its registers
 *   frame(program, description, log) -> words    built with SCAN_LOG: into a log (port.h)
 *   blank(description), blank(description, log) -> words
 *   version                                      SCAN_VERSION
 *
 * ValueError(code) for a wrong argument: SCAN_... in scan.h. TypeError for what is no such buffer.
 */

#include "abi.h"

#define SCAN_API static
#include "scan.c"

/* Raises ValueError(result) when the result is an error. */
APART mp_object checked(struct mp_function *self, int32_t result)
{
    mp_object number = mp_from_int(result);
    if (result < 0) {
        mp_object type = mp_load_global(self->context->names[MP_QSTR_ValueError]);
        mp_raise(mp_call(type, 1, &number));
    }
    return number;
}

/* Takes `count` buffers; the one numbered `written` may share no memory with the others. */
APART int32_t take(size_t count, const mp_object *args, size_t written, struct scan_words *words)
{
    for (size_t i = 0; i < count; i++) {
        struct mp_buffer buffer;
        mp_get_buffer(args[i], i == written ? MP_WRITE : MP_READ, &buffer);
        words[i].words = buffer.bytes;
        words[i].bytes = buffer.length;
    }
    for (size_t i = 0; i < count; i++)
        if (written < count && i != written && !scan_apart(words + written, words + i))
            return SCAN_OVERLAP;
    return 0;
}

#ifdef SCAN_LOG

enum { PORT_ARGUMENTS = 1 };

static int32_t open_port(struct port *port, const struct scan_words *description)
{
    const struct scan_words *log = description + 1;
    if ((uintptr_t)log->words & 3)
        return SCAN_UNALIGNED;
    if (log->bytes < 4)
        return SCAN_SHORT_LOG;
    port->level = log->words;
    port->next = log->words + 1;
    port->end = log->words + log->bytes / 4;
    return 0;
}

#else

enum { PORT_ARGUMENTS = 0 };

/* GPIO_OUT is the second register. Nothing else but it and the two after it is ever stored to,
 * whatever a description says. */
static int32_t open_port(struct port *port, const struct scan_words *description)
{
    const uint32_t *word = description->words;
    if ((uintptr_t)word & 3)
        return SCAN_UNALIGNED;
    if (description->bytes < 4 * SCAN_TABLES)
        return SCAN_BAD_LAYOUT;
    uint32_t registers = word[SCAN_REGISTERS];
    /* ESP32; ESP32-S2, -S3, -C3 and the ESP32's other bus; ESP32-C6 */
    if (registers != 0x3FF44000 && registers != 0x60004000 && registers != 0x60091000)
        return SCAN_BAD_REGISTERS;
    port->out = (uint32_t *)(uintptr_t)registers + 1;
    return 0;
}

#endif

static mp_object build(struct mp_function *self, size_t count, size_t keywords, mp_object *args)
{
    mp_check_count(count, keywords, 3);
    struct scan_words words[3];
    int32_t result = take(3, args, 0, words);
    if (!result)
        result = scan_build(words, (const uint8_t *)words[1].words, words[1].bytes, words + 2);
    return checked(self, result);
}

/* Of the program, if there is one, the description, and the log, if there is one. */
APART mp_object run(
    struct mp_function *self, size_t count, size_t keywords, mp_object *args, size_t programs)
{
    mp_check_count(count, keywords, programs + 1 + PORT_ARGUMENTS);
    struct scan_words words[3], *description = words + programs;
    struct port port;
    int32_t result = take(programs + 1 + PORT_ARGUMENTS, args, programs + 1, words);
    if (!result)
        result = open_port(&port, description);
    if (!result)
        result = scan_play(&port, programs ? words : NULL, description);
    return checked(self, result ? result : PORT_STORED(&port));
}

static mp_object frame(struct mp_function *self, size_t count, size_t keywords, mp_object *args)
{
    return run(self, count, keywords, args, 1);
}

static mp_object blank(struct mp_function *self, size_t count, size_t keywords, mp_object *args)
{
    return run(self, count, keywords, args, 0);
}

APART void define(const struct mp_context *context, size_t name, mp_native code)
{
    mp_store_global(context->names[name], mp_make_function(context, code));
}

/* Called once, by import. */
mp_object mpy_init(struct mp_function *self, size_t count, size_t keywords, mp_object *args)
{
    (void)count;
    (void)keywords;
    (void)args;
    const struct mp_context *context = self->context;
    mp_object before = mp_swap_globals(context->globals);
    define(context, MP_QSTR_build, build);
    define(context, MP_QSTR_frame, frame);
    define(context, MP_QSTR_blank, blank);
    mp_store_global(context->names[MP_QSTR_version], mp_from_int(SCAN_VERSION));
    mp_swap_globals(before);
    return mp_none();
}
