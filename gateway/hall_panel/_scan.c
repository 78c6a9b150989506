/* The scan as a CPython module: the stores of an LED panel's frame, into a log.
 *
 * Here: arguments in, results and exceptions out, as module.c does it for MicroPython. Never in
 * this file: what a panel wants (scan.c), or registers (_refresh.c plays into a Raspberry Pi's).
 */

#define Py_LIMITED_API 0x030B0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#define SCAN_LOG
#define SCAN_API static
#include "scan.c"

/* None of the calls lasts long enough (a frame: some microseconds) to let other threads run. So no
 * other thread of Python's changes a buffer after it is checked. */

static struct scan_words words_of(const Py_buffer *buffer)
{
    return (struct scan_words){buffer->buf, (size_t)buffer->len};
}

/* ValueError(result) when the result is an error. */
static PyObject *checked(long result)
{
    PyObject *number = PyLong_FromLong(result);
    if (result >= 0 || !number)
        return number;
    PyErr_SetObject(PyExc_ValueError, number);
    Py_DECREF(number);
    return NULL;
}

PyDoc_STRVAR(build_doc, "build(program, picture, description, /) -> bytes of the program in use");

static PyObject *build(PyObject *self, PyObject *args)
{
    Py_buffer program, picture, description;
    (void)self;
    if (!PyArg_ParseTuple(args, "w*y*y*:build", &program, &picture, &description))
        return NULL;
    struct scan_words written = words_of(&program), read = words_of(&description);
    struct scan_words seen = words_of(&picture);
    int32_t result = SCAN_OVERLAP;
    if (scan_apart(&written, &seen) && scan_apart(&written, &read))
        result = scan_build(&written, picture.buf, seen.bytes, &read);
    PyBuffer_Release(&program);
    PyBuffer_Release(&picture);
    PyBuffer_Release(&description);
    return checked(result);
}

static int32_t open_port(struct port *port, const struct scan_words *log)
{
    if ((uintptr_t)log->words & 3)
        return SCAN_UNALIGNED;
    if (log->bytes < 4)
        return SCAN_SHORT_LOG;
    port->level = log->words;
    port->next = log->words + 1;
    port->end = log->words + log->bytes / 4;
    return 0;
}

/* Plays `program`, or nothing (NULL), and returns how many words of the log are used. */
static long play(const Py_buffer *program, const Py_buffer *description, const Py_buffer *log)
{
    struct scan_words written = words_of(log), panel = words_of(description), played;
    struct port port;
    if (program)
        played = words_of(program);
    if (!scan_apart(&written, &panel) || (program && !scan_apart(&written, &played)))
        return SCAN_OVERLAP;
    int32_t result = open_port(&port, &written);
    if (!result)
        result = scan_play(&port, program ? &played : NULL, &panel);
    return result ? result : (long)PORT_STORED(&port);
}

PyDoc_STRVAR(frame_doc, "frame(program, description, log, /) -> words of the log in use");

static PyObject *frame(PyObject *self, PyObject *args)
{
    Py_buffer program, description, log;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*y*w*:frame", &program, &description, &log))
        return NULL;
    long result = play(&program, &description, &log);
    PyBuffer_Release(&program);
    PyBuffer_Release(&description);
    PyBuffer_Release(&log);
    return checked(result);
}

PyDoc_STRVAR(blank_doc, "blank(description, log, /) -> words of the log in use");

static PyObject *blank(PyObject *self, PyObject *args)
{
    Py_buffer description, log;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*w*:blank", &description, &log))
        return NULL;
    long result = play(NULL, &description, &log);
    PyBuffer_Release(&description);
    PyBuffer_Release(&log);
    return checked(result);
}

static PyMethodDef functions[] = {
    {"build", build, METH_VARARGS, build_doc},
    {"frame", frame, METH_VARARGS, frame_doc},
    {"blank", blank, METH_VARARGS, blank_doc},
    {NULL, NULL, 0, NULL},
};

static int define(PyObject *module)
{
    return PyModule_AddIntConstant(module, "version", SCAN_VERSION);
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, define}, {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_scan",
    .m_doc = "The refresh of LED panels (firmware/native/scan.c), its stores logged.",
    .m_methods = functions,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__scan(void)
{
    return PyModuleDef_Init(&definition);
}
