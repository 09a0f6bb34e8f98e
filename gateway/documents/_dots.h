/* What the files of gateway.documents._dots share. */

#ifndef FAXGATE_DOTS_H
#define FAXGATE_DOTS_H

#ifndef Py_LIMITED_API
#define Py_LIMITED_API 0x030B0000
#endif
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

/* Loops that gain by wide registers, where the machine has them. */
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && defined(__linux__) && defined(__GLIBC__)
#define WIDE __attribute__((target_clones("avx2", "default")))
#else
#define WIDE
#endif

/* Before a loop whose rows do not overlap, so that the compiler need not prove it. */
#if defined(__GNUC__) && !defined(__clang__)
#define APART _Pragma("GCC ivdep")
#else
#define APART
#endif

/* Say whether a page may have this size, with ValueError set if not. */
int fits(int width, int height);

PyObject *py_t6(PyObject *self, PyObject *args);
PyObject *py_t4(PyObject *self, PyObject *args);
PyObject *py_scale(PyObject *self, PyObject *args);
PyObject *py_extremes(PyObject *self, PyObject *args);
PyObject *py_reduced(PyObject *self, PyObject *args);
PyObject *py_even(PyObject *self, PyObject *args);

#endif
