/* Plays LED panels through the GPIO registers of a Raspberry Pi, from CPython.
 *
 * Here: arguments in, results and exceptions out; and single registers read and written as whole
 * words, which a memoryview does not promise. Never in this file: the thread (pi_thread.h), the
 * stores (pi_port.h), which board it is and which pins are whose (raspberry_pi.py).
 */

#define Py_LIMITED_API 0x030B0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <string.h>

#include "pi_thread.h"

typedef struct {
    PyObject_HEAD
    Py_buffer registers;
    uint32_t *memory; /* of the slots */
    struct refresh refresh;
} Refresher;

static PyObject *wrong(int32_t error)
{
    PyObject *number = PyLong_FromLong(error);
    PyErr_SetObject(PyExc_ValueError, number);
    Py_XDECREF(number);
    return NULL;
}

/* For a description that is checked: only memory may be missing. */
static int make_slots(Refresher *self, const struct scan_words *description)
{
    struct refresh *refresh = &self->refresh;
    size_t clocks = 8 * description->words[SCAN_GROUPS] * description->words[SCAN_SCANS];
    size_t program = 4 * (PROGRAM_WORDS + clocks);
    uint32_t *next = self->memory = PyMem_Calloc(SLOTS, program + description->bytes);
    if (!next)
        return -1;
    for (struct slot *slot = refresh->slots; slot < refresh->slots + SLOTS; slot++) {
        slot->program = (struct scan_words){next, program};
        next += program / 4;
        slot->description = (struct scan_words){next, description->bytes};
        memcpy(next, description->words, description->bytes);
        next += description->bytes / 4;
    }
    refresh->front = 0;
    refresh->back = 1;
    atomic_init(&refresh->offered, 2);
    return 0;
}

enum { RUNS = 20 };

/* Dark first; then the rest. */
static int begin(Refresher *self, const struct scan_words *description, int period_us)
{
    struct port *port = &self->refresh.port;
    port->registers = self->registers.buf;
    port->repeats = 1;
    atomic_init(&self->refresh.repeats, 1);
    int32_t error = SCAN_UNALIGNED;
    if (((uintptr_t)self->registers.buf & 3) == 0)
        error = scan_play(port, NULL, description);
    if (error) {
        wrong(error);
        return -1;
    }
    for (int i = 0; i < RUNS; i++)
        slow_down(&self->refresh);
    self->refresh.period_ns = 1000 * (int64_t)period_us;
    if (make_slots(self, description)) {
        PyErr_NoMemory();
        return -1;
    }
    if ((errno = start_thread(&self->refresh))) {
        PyErr_SetFromErrno(PyExc_OSError);
        return -1;
    }
    return 0;
}

static PyObject *create(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    Py_buffer registers, description;
    int period_us;
    (void)keywords;
    if (!PyArg_ParseTuple(args, "w*y*i:Refresher", &registers, &description, &period_us))
        return NULL;
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    Refresher *self = (Refresher *)allocate(type, 0);
    int result = -1;
    if (self) {
        self->registers = registers;
        struct scan_words words = {description.buf, (size_t)description.len & ~(size_t)3};
        if (registers.len < 4 * PI_WORDS)
            PyErr_SetString(PyExc_ValueError, "registers: too short, they end before GPCLR0");
        else if (period_us < 5000 || period_us > 100000)
            PyErr_SetString(PyExc_ValueError, "period: must be 5,000 to 100,000 us");
        else
            result = begin(self, &words, period_us);
    } else {
        PyBuffer_Release(&registers);
    }
    PyBuffer_Release(&description);
    if (result)
        Py_CLEAR(self);
    return (PyObject *)self;
}

PyDoc_STRVAR(show_doc, "show(picture, lit, /): from the next frame, each row lit for `lit` pairs");

static PyObject *show(PyObject *object, PyObject *args)
{
    Refresher *self = (Refresher *)object;
    Py_buffer picture;
    unsigned lit;
    if (!PyArg_ParseTuple(args, "y*I:show", &picture, &lit))
        return NULL;
    int32_t error = -1;
    if (!self->refresh.running)
        PyErr_SetString(PyExc_ValueError, "refresh: it is closed");
    else if ((error = offer_picture(&self->refresh, picture.buf, (size_t)picture.len, lit)))
        wrong(error);
    PyBuffer_Release(&picture);
    if (error)
        return NULL;
    Py_RETURN_NONE;
}

static void halt(Refresher *self)
{
    if (!self->refresh.running)
        return;
    self->refresh.running = 0;
    Py_BEGIN_ALLOW_THREADS
    stop_thread(&self->refresh);
    Py_END_ALLOW_THREADS
    PyBuffer_Release(&self->registers);
}

PyDoc_STRVAR(close_doc, "close(): the thread ends after this frame, dark; registers are let go");

static PyObject *close_(PyObject *object, PyObject *unused)
{
    (void)unused;
    halt((Refresher *)object);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(counters_doc, "counters() -> (frames, late, longest gap us, longest frame us)");

static PyObject *counters(PyObject *object, PyObject *unused)
{
    struct refresh *refresh = &((Refresher *)object)->refresh;
    (void)unused;
    return Py_BuildValue(
        "IIII",
        atomic_load(&refresh->frames),
        atomic_load(&refresh->late),
        atomic_load(&refresh->gap_us),
        atomic_load(&refresh->frame_us));
}

static PyObject *realtime(PyObject *object, void *unused)
{
    (void)unused;
    return PyBool_FromLong(((Refresher *)object)->refresh.realtime);
}

static PyObject *repeats(PyObject *object, void *unused)
{
    (void)unused;
    return PyLong_FromUnsignedLong(atomic_load(&((Refresher *)object)->refresh.repeats));
}

static void destroy(PyObject *object)
{
    Refresher *self = (Refresher *)object;
    PyTypeObject *type = Py_TYPE(object);
    halt(self);
    PyBuffer_Release(&self->registers); /* again is no harm */
    PyMem_Free(self->memory);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(object);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"show", show, METH_VARARGS, show_doc},
    {"close", close_, METH_NOARGS, close_doc},
    {"counters", counters, METH_NOARGS, counters_doc},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef attributes[] = {
    {"realtime", realtime, NULL, "whether the thread goes before all others (SCHED_FIFO)", NULL},
    {"repeats", repeats, NULL, "of each store, as measured: 50 ns together", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot refresher_slots[] = {
    {Py_tp_doc, "Refresher(registers, description, period_us, /): dark until the first show()"},
    {Py_tp_new, create},
    {Py_tp_dealloc, destroy},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {0, NULL},
};

static PyType_Spec refresher = {
    .name = "hall_panel._refresh.Refresher",
    .basicsize = sizeof(Refresher),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = refresher_slots,
};

static volatile uint32_t *word_at(const Py_buffer *registers, Py_ssize_t offset)
{
    uintptr_t at = (uintptr_t)registers->buf + (size_t)offset;
    if (offset >= 0 && offset <= registers->len - 4 && !(at & 3))
        return (volatile uint32_t *)at;
    PyErr_SetString(PyExc_ValueError, "offset: no word of these registers");
    return NULL;
}

PyDoc_STRVAR(read_doc, "read(registers, offset, /) -> the word there");

static PyObject *read_(PyObject *module, PyObject *args)
{
    Py_buffer registers;
    Py_ssize_t offset;
    (void)module;
    if (!PyArg_ParseTuple(args, "y*n:read", &registers, &offset))
        return NULL;
    volatile uint32_t *word = word_at(&registers, offset);
    PyObject *value = word ? PyLong_FromUnsignedLong(*word) : NULL;
    PyBuffer_Release(&registers);
    return value;
}

PyDoc_STRVAR(write_doc, "write(registers, offset, word, /)");

static PyObject *write_(PyObject *module, PyObject *args)
{
    Py_buffer registers;
    Py_ssize_t offset;
    unsigned value;
    (void)module;
    if (!PyArg_ParseTuple(args, "w*nI:write", &registers, &offset, &value))
        return NULL;
    volatile uint32_t *word = word_at(&registers, offset);
    if (word)
        *word = value;
    PyBuffer_Release(&registers);
    if (!word)
        return NULL;
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"read", read_, METH_VARARGS, read_doc},
    {"write", write_, METH_VARARGS, write_doc},
    {NULL, NULL, 0, NULL},
};

static int define(PyObject *module)
{
    PyObject *type = PyType_FromSpec(&refresher);
    int result = type ? PyModule_AddType(module, (PyTypeObject *)type) : -1;
    Py_XDECREF(type);
    return result;
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, define}, {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_refresh",
    .m_doc = "Plays LED panels through the GPIO registers of a Raspberry Pi.",
    .m_methods = functions,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__refresh(void)
{
    return PyModuleDef_Init(&definition);
}
