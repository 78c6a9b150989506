/* The other side of a native module: MicroPython's function table, faked, and a list of calls.
 *
 * Runs as a whole process under qemu-user, made by emulator.py, which also places the module,
 * the calls and the buffers in memory. Here: fakes that check what they are given. Not here: libc.
 */

#include <stddef.h>
#include <stdint.h>

enum { DONE = 1, RAISED = 2, MISUSED = 3 };

struct call {
    uint32_t name; /* of the function, as the module's own number */
    uint32_t count;
    uint32_t args[4];
    uint32_t status;
    int32_t value;
};

struct buffer {
    uint32_t type; /* BUFFER: told apart from a small integer by its address */
    uint32_t bytes, length, writable;
};

struct function {
    uint32_t type;
    const void *context;
    uint32_t code;
};

struct state {
    uint32_t entry, calls_count, names_count, bytes, gpio, outputs; /* filled in by emulator.py */
    uint32_t current;
    uint32_t globals_now;
    uint32_t functions_count;
    uint32_t table[128];
    uint32_t context[4];
    uint16_t names[32];
    uint32_t globals[32];
    struct function functions[8];
    struct call calls[];
};

#define STATE ((struct state *)0x08100000)
enum { PRIVATE = 2, FIXED = 0x10, PAGE = 0x1000 };
enum { GLOBALS = 0x6A6A, NONE = 0x1E, FIRST_NAME = 0x300 };

#if defined(__XTENSA__) || defined(__xtensa__)
enum { WRITE = 13, MMAP = 80, EXIT = 118, ANONYMOUS = 0x800 };
#else
enum { WRITE = 64, MMAP = 222, EXIT = 93, ANONYMOUS = 0x20 };
#endif

/* Linux: mmap takes six arguments, the others fewer. */
static void kernel(uint32_t number, uint32_t one, uint32_t two, uint32_t three)
{
#if defined(__XTENSA__) || defined(__xtensa__)
    register uint32_t n __asm__("a2") = number;
    register uint32_t a __asm__("a6") = one;
    register uint32_t b __asm__("a3") = two;
    register uint32_t c __asm__("a4") = three;
    register uint32_t d __asm__("a5") = PRIVATE | FIXED | ANONYMOUS;
    register uint32_t e __asm__("a8") = 0xFFFFFFFF;
    register uint32_t f __asm__("a9") = 0;
    __asm__ volatile("syscall"
                     : "+r"(n)
                     : "r"(a), "r"(b), "r"(c), "r"(d), "r"(e), "r"(f)
                     : "memory");
#else
    register uint32_t n __asm__("a7") = number;
    register uint32_t a __asm__("a0") = one;
    register uint32_t b __asm__("a1") = two;
    register uint32_t c __asm__("a2") = three;
    register uint32_t d __asm__("a3") = PRIVATE | FIXED | ANONYMOUS;
    register uint32_t e __asm__("a4") = 0xFFFFFFFF;
    register uint32_t f __asm__("a5") = 0;
    __asm__ volatile("ecall" : "+r"(a) : "r"(n), "r"(b), "r"(c), "r"(d), "r"(e), "r"(f) : "memory");
#endif
}

static void finish(void)
{
    kernel(WRITE, 1, (uintptr_t)STATE, STATE->bytes);
    kernel(EXIT, 0, 0, 0);
    for (;;)
        ;
}

static void ended(uint32_t status, int32_t value)
{
    struct call *call = &STATE->calls[STATE->current];
    call->status = status;
    call->value = value;
    STATE->current++;
}

/* Makes the calls from the current one on. An exception does not come back to it: see raise(). */
static void run(void)
{
    while (STATE->current < STATE->calls_count) {
        struct call *call = &STATE->calls[STATE->current];
        struct function *function = (struct function *)(uintptr_t)STATE->globals[call->name];
        uint32_t (*code)(struct function *, size_t, size_t, uint32_t *);
        code =
            (uint32_t (*)(struct function *, size_t, size_t, uint32_t *))(uintptr_t)function->code;
        uint32_t result = code(function, call->count, 0, call->args);
        ended(result & 1 ? DONE : MISUSED, (int32_t)result >> 1);
    }
    finish();
}

static void fail(uint32_t why)
{
    ended(MISUSED, (int32_t)why);
    run();
}

static int32_t from_object(uint32_t object, int kind)
{
    if (kind != 2 || !(object & 1))
        fail(8);
    return (int32_t)object >> 1;
}

static uint32_t to_object(uint32_t value, int kind)
{
    if (kind != 2)
        fail(1);
    return value << 1 | 1;
}

static uint32_t swap_globals(uint32_t globals)
{
    uint32_t before = STATE->globals_now;
    STATE->globals_now = globals;
    return before;
}

static uint32_t load_global(uint32_t name)
{
    return name;
}

static void store_global(uint32_t name, uint32_t value)
{
    if (STATE->globals_now != GLOBALS || name - FIRST_NAME >= STATE->names_count)
        fail(2);
    STATE->globals[name - FIRST_NAME] = value;
}

static uint32_t make_function(const uint8_t *record, const void *context, const void *defaults)
{
    if (record[0] || record[1] || record[2] != 4 || record[3] || defaults ||
        context != STATE->context)
        fail(3);
    struct function *function = &STATE->functions[STATE->functions_count++];
    function->context = context;
    function->code = *(const uint32_t *)(const void *)(record + 4);
    return (uintptr_t)function;
}

/* The exception is its name and its one argument. */
static uint32_t call(uint32_t type, size_t count, const uint32_t *args)
{
    if (count != 1)
        fail(4);
    return (type - FIRST_NAME) << 16 | (args[0] & 0xFFFF);
}

static void raise(uint32_t exception)
{
    ended(RAISED, (int32_t)exception);
    run();
}

static void check_count(size_t count, size_t keywords, uint32_t signature)
{
    if (count < signature >> 17 || count > (signature >> 1 & 0xFFFF) || keywords)
        raise(0xFFFF0000);
}

static int get_buffer(uint32_t object, uint32_t *info, size_t access)
{
    const struct buffer *buffer = (const struct buffer *)(uintptr_t)object;
    if (object & 3 || (access & 2 && !buffer->writable))
        raise(0xFFFF0001);
    if (!(access & 4))
        fail(5);
    info[0] = buffer->bytes;
    info[1] = buffer->length;
    info[2] = 'B';
    return 1;
}

static void unknown(void)
{
    fail(6);
}

static __attribute__((noinline)) void start(const uint32_t *kept)
{
    (void)kept;
    kernel(MMAP, STATE->gpio, PAGE, 3 /* to read and write */);
    if (STATE->outputs)
        ((uint32_t *)(uintptr_t)STATE->gpio)[1] = STATE->outputs; /* GPIO_OUT */
    uint32_t *table = STATE->table;
    for (int i = 0; i < 128; i++)
        table[i] = (uintptr_t)unknown;
    table[0] = NONE;
    table[3] = (uintptr_t)from_object;
    table[4] = (uintptr_t)to_object;
    table[5] = (uintptr_t)swap_globals;
    table[7] = (uintptr_t)load_global;
    table[13] = (uintptr_t)store_global;
    table[26] = (uintptr_t)make_function;
    table[27] = (uintptr_t)call;
    table[34] = (uintptr_t)raise;
    table[44] = (uintptr_t)check_count;
    table[65] = (uintptr_t)get_buffer;
    STATE->context[1] = GLOBALS;
    STATE->context[2] = (uintptr_t)STATE->names;
    for (uint32_t i = 0; i < 32; i++)
        STATE->names[i] = FIRST_NAME + i;
    struct function module = {0, STATE->context, STATE->entry};
    uint32_t (*entry)(struct function *, size_t, size_t, uint32_t *);
    entry = (uint32_t (*)(struct function *, size_t, size_t, uint32_t *))(uintptr_t)STATE->entry;
    if (entry(&module, 0, 0, NULL) != NONE || STATE->globals_now != 0)
        fail(7);
    run();
}

void mpy_init(void)
{
    uint32_t spilled[8];
#if defined(__XTENSA__) || defined(__xtensa__)
    /* This frame has no caller, below whose stack pointer its registers a4 to a7 could be spilled.
     * Where that pointer would have been kept, it finds one now. */
    __asm__ volatile("addi a8, a1, -16\n\t"
                     "s32i a8, a8, 0\n\t"
                     "s32i %0, a8, 4"
                     :
                     : "r"(spilled + 8)
                     : "a8", "memory");
#endif
    start(spilled);
}
