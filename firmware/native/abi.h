/* The part of MicroPython's native ABI (.mpy version 6.3, MicroPython 1.24 and newer) that a module
 * without any static data needs: entries of the function table, and the shapes behind them.
 *
 * Here: numbers and structs of MicroPython, and thin names for its functions. Never in this file:
 * anything of panels, and anything that would make the compiler emit data.
 *
 * The linker (`hall native build`) gives every MP_QSTR_name that a source mentions its number in
 * the module's own table of names, and resolves mp_fun_table to MicroPython's.
 */
#ifndef HALLKIT_ABI_H
#define HALLKIT_ABI_H

#include <stddef.h>
#include <stdint.h>

typedef void *mp_object;

/* A module's names and globals. */
struct mp_context {
    const void *module_type;
    mp_object globals;
    const uint16_t *names;
    mp_object *objects;
};

/* A native function, as it gets itself for its first argument. */
struct mp_function {
    const void *type;
    const struct mp_context *context;
};

typedef mp_object (*mp_native)(
    struct mp_function *self, size_t count, size_t keywords, mp_object *args);

/* What get_buffer fills in. */
struct mp_buffer {
    void *bytes;
    size_t length;
    int typecode;
};

enum { MP_READ = 1, MP_WRITE = 2, MP_OR_RAISE = 4 };

/* How entries 3 and 4 convert. */
enum { MP_AS_OBJECT, MP_AS_BOOL, MP_AS_INT, MP_AS_UINT };

/* MicroPython's py/nativeglue.h, in its order. */
enum {
    MP_FUN_NONE = 0,
    MP_FUN_FROM_OBJECT = 3,
    MP_FUN_TO_OBJECT = 4,
    MP_FUN_SWAP_GLOBALS = 5,
    MP_FUN_LOAD_GLOBAL = 7,
    MP_FUN_STORE_GLOBAL = 13,
    MP_FUN_MAKE_FUNCTION = 26,
    MP_FUN_CALL = 27,
    MP_FUN_RAISE = 34,
    MP_FUN_CHECK_COUNT = 44,
    MP_FUN_GET_BUFFER = 65
};

/* A record that is no bytecode begins with two bytes of zero; the kind is the third. */
enum { MP_KIND_VIPER = 4 << 16 };

extern void *const mp_fun_table[];

static inline mp_object mp_none(void)
{
    return mp_fun_table[MP_FUN_NONE];
}

/* Of an integer; without a check. What does not fit is cut off. */
static inline intptr_t mp_to_int(mp_object object)
{
    return ((intptr_t (*)(mp_object, int))mp_fun_table[MP_FUN_FROM_OBJECT])(object, MP_AS_INT);
}

static inline mp_object mp_from_int(intptr_t value)
{
    return ((mp_object (*)(intptr_t, int))mp_fun_table[MP_FUN_TO_OBJECT])(value, MP_AS_INT);
}

static inline mp_object mp_swap_globals(mp_object globals)
{
    return ((mp_object (*)(mp_object))mp_fun_table[MP_FUN_SWAP_GLOBALS])(globals);
}

static inline mp_object mp_load_global(size_t name)
{
    return ((mp_object (*)(size_t))mp_fun_table[MP_FUN_LOAD_GLOBAL])(name);
}

static inline void mp_store_global(size_t name, mp_object value)
{
    ((void (*)(size_t, mp_object))mp_fun_table[MP_FUN_STORE_GLOBAL])(name, value);
}

static inline mp_object mp_call(mp_object function, size_t count, const mp_object *args)
{
    return ((mp_object (*)(mp_object, size_t, const mp_object *))mp_fun_table[MP_FUN_CALL])(
        function, count, args);
}

/* Does not return. */
static inline void mp_raise(mp_object exception)
{
    ((void (*)(mp_object))mp_fun_table[MP_FUN_RAISE])(exception);
}

/* TypeError unless the function was called with exactly so many arguments and no keywords. */
static inline void mp_check_count(size_t count, size_t keywords, uint32_t exactly)
{
    ((void (*)(size_t, size_t, uint32_t))mp_fun_table[MP_FUN_CHECK_COUNT])(
        count, keywords, exactly << 17 | exactly << 1);
}

/* TypeError when the object offers no such buffer. */
static inline void mp_get_buffer(mp_object object, size_t access, struct mp_buffer *buffer)
{
    ((int (*)(mp_object, struct mp_buffer *, size_t))mp_fun_table[MP_FUN_GET_BUFFER])(
        object, buffer, access | MP_OR_RAISE);
}

/* A function object around `code`, made as the compiler of @viper makes its own: from a record that
 * is read once, so that it may lie on the stack. */
static inline mp_object mp_make_function(const struct mp_context *context, mp_native code)
{
    struct {
        uint32_t kind;
        mp_native code;
        void *children;
    } record;
    record.kind = MP_KIND_VIPER;
    record.code = code;
    record.children = NULL;
    return ((mp_object (*)(const void *, const struct mp_context *, const void *))
                mp_fun_table[MP_FUN_MAKE_FUNCTION])(&record, context, NULL);
}

#endif
