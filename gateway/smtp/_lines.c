/* The loop over every octet of a message that is too slow elsewhere. gateway/smtp/lines.py calls it, and has the same in
 * Python for places without a compiler.
 */

#ifndef Py_LIMITED_API
#define Py_LIMITED_API 0x030B0000
#endif
#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* Octets are looked at by the block, so that a compiler can do many at once and a bad line ends it early. */
enum { BLOCK = 4096 };

/* Whether each CR has its LF behind it, and each LF its CR before it. */
static int whole(const char *text, Py_ssize_t length)
{
    if (length == 0)
        return 1;
    if (text[0] == '\n' || text[length - 1] == '\r')
        return 0;
    for (Py_ssize_t begin = 0; begin < length - 1; begin += BLOCK) {
        Py_ssize_t end = length - 1 - begin < BLOCK ? length - 1 : begin + BLOCK;
        unsigned char bad = 0;
        for (Py_ssize_t at = begin; at < end; at++)
            bad |= (unsigned char)((text[at] == '\r') ^ (text[at + 1] == '\n'));
        if (bad)
            return 0;
    }
    return 1;
}

static PyObject *py_whole(PyObject *self, PyObject *given)
{
    (void)self;
    char *text;
    Py_ssize_t length;
    if (PyBytes_AsStringAndSize(given, &text, &length) < 0)
        return NULL;
    return PyBool_FromLong(whole(text, length));
}

static PyMethodDef METHODS[] = {
    {"whole", py_whole, METH_O, "whole(text): whether every CR and LF in it is half of a CR LF"}, {NULL, NULL, 0, NULL}};

static struct PyModuleDef MODULE = {PyModuleDef_HEAD_INIT, "_lines", NULL, 0, METHODS, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__lines(void)
{
    return PyModuleDef_Init(&MODULE);
}
