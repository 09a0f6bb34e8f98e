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

/* Of a number that is not 0. */
static inline int leading_zeros(uint64_t word)
{
#if defined(__GNUC__)
    return __builtin_clzll(word);
#else
    int count = 0;
    for (; !(word >> 63); word <<= 1)
        count++;
    return count;
#endif
}

/* Sixty-four dots, or what is left of a row, from the highest bit on. */
static inline uint64_t word_at(const uint8_t *row, int bytes)
{
    uint64_t word = 0;
    if (bytes >= 8)
        return (uint64_t)row[0] << 56 | (uint64_t)row[1] << 48 | (uint64_t)row[2] << 40 | (uint64_t)row[3] << 32 |
               (uint64_t)row[4] << 24 | (uint64_t)row[5] << 16 | (uint64_t)row[6] << 8 | (uint64_t)row[7];
    for (int i = 0; i < bytes; i++)
        word |= (uint64_t)row[i] << (56 - 8 * i);
    return word;
}

/* What word_at has read, written. */
static inline void put_word(uint8_t *row, int bytes, uint64_t word)
{
    if (bytes >= 8) {
        row[0] = (uint8_t)(word >> 56), row[1] = (uint8_t)(word >> 48), row[2] = (uint8_t)(word >> 40);
        row[3] = (uint8_t)(word >> 32), row[4] = (uint8_t)(word >> 24), row[5] = (uint8_t)(word >> 16);
        row[6] = (uint8_t)(word >> 8), row[7] = (uint8_t)word;
        return;
    }
    for (int i = 0; i < bytes; i++)
        row[i] = (uint8_t)(word >> (56 - 8 * i));
}

/* Say whether a page may have this size, with ValueError set if not. */
int fits(int width, int height);

/* Give the code word of a run below 64 or of a multiple of 64 up to 2560, and return how many bits it has. */
int run_word(int length, int black, unsigned *word);

PyObject *py_t6(PyObject *self, PyObject *args);
PyObject *py_t4(PyObject *self, PyObject *args);
PyObject *py_scale(PyObject *self, PyObject *args);
PyObject *py_extremes(PyObject *self, PyObject *args);
PyObject *py_reduced(PyObject *self, PyObject *args);
PyObject *py_straight(PyObject *self, PyObject *args);
PyObject *py_walk(PyObject *self, PyObject *args);

#endif
