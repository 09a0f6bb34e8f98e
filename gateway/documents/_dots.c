/* The module of the loops over every dot of a page that are too slow elsewhere, and the first of them: grey to black and
 * white.
 *
 * gateway/documents/dots.py calls these and has the same in Pillow for places without a compiler.
 */

#include "_dots.h"
#include <stdlib.h>
#include <string.h>

/* The most dots of a page, far beyond any fax: so many can be counted everywhere. */
#define MOST (INT64_C(1) << 30)

int fits(int width, int height)
{
    if (width > 0 && height > 0 && width < (1 << 26) && height < (1 << 26) && (int64_t)width * height <= MOST)
        return 1;
    PyErr_SetString(PyExc_ValueError, "no page has such a size");
    return 0;
}

#if defined(__SSE2__)
#include <emmintrin.h>

#define TWO(n) (n), (n) + 128, (n) + 64, (n) + 192
#define FOUR(n) TWO(n), TWO((n) + 32), TWO((n) + 16), TWO((n) + 48)
#define SIX(n) FOUR(n), FOUR((n) + 8), FOUR((n) + 4), FOUR((n) + 12)
/* The bits of each byte from the last to the first. */
static const uint8_t TURNED[256] = {SIX(0), SIX(2), SIX(1), SIX(3)};

/* Sixteen greys at once, as two bytes. */
static void sixteen(const uint8_t *grey, const uint8_t *thresholds, uint8_t *out)
{
    __m128i over = _mm_subs_epu8(_mm_loadu_si128((const __m128i *)thresholds), _mm_loadu_si128((const __m128i *)grey));
    unsigned white = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(over, _mm_setzero_si128()));
    out[0] = TURNED[~white & 0xFF];
    out[1] = TURNED[~white >> 8 & 0xFF];
}
#else
static void sixteen(const uint8_t *grey, const uint8_t *thresholds, uint8_t *out)
{
    for (int byte = 0; byte < 2; byte++) {
        unsigned dots = 0;
        for (int bit = 0; bit < 8; bit++)
            dots = dots << 1 | (unsigned)(*grey++ < *thresholds++);
        out[byte] = (uint8_t)dots;
    }
}
#endif

/* Rows of eight dots a byte, first dot in the highest bit; a dot is 1 where grey is less than its threshold. */
static void pack(const uint8_t *grey, const uint8_t *thresholds, int level, int width, int height, uint8_t *out)
{
    uint8_t everywhere[16];
    memset(everywhere, level, sizeof everywhere);
    for (int y = 0; y < height; y++) {
        int x = 0;
        for (; x + 16 <= width; x += 16, grey += 16, out += 2) {
            sixteen(grey, thresholds ? thresholds : everywhere, out);
            thresholds = thresholds ? thresholds + 16 : NULL;
        }
        while (x < width) {
            unsigned byte = 0;
            for (int bit = 7; bit >= 0 && x < width; x++, bit--, grey++)
                byte |= (unsigned)(*grey < (thresholds ? *thresholds++ : level)) << bit;
            *out++ = (uint8_t)byte;
        }
    }
}

static PyObject *py_pack(PyObject *self, PyObject *args)
{
    Py_buffer grey, thresholds;
    PyObject *given, *result = NULL;
    int level, width, height;
    if (!PyArg_ParseTuple(args, "y*Oiii", &grey, &given, &level, &width, &height))
        return NULL;
    thresholds.buf = NULL;
    if (!fits(width, height))
        goto done;
    level = level < 0 ? 0 : level > 255 ? 255 : level;
    if (given != Py_None && PyObject_GetBuffer(given, &thresholds, PyBUF_SIMPLE) < 0) {
        thresholds.buf = NULL;
        goto done;
    }
    if (grey.len != (Py_ssize_t)width * height || (thresholds.buf && thresholds.len != grey.len)) {
        PyErr_SetString(PyExc_ValueError, "as many greys as dots are needed");
        goto done;
    }
    result = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)((width + 7) / 8) * height);
    if (result) {
        uint8_t *out = (uint8_t *)PyBytes_AsString(result);
        Py_BEGIN_ALLOW_THREADS
        pack(grey.buf, thresholds.buf, level, width, height, out);
        Py_END_ALLOW_THREADS
    }
done:
    if (thresholds.buf)
        PyBuffer_Release(&thresholds);
    PyBuffer_Release(&grey);
    return result;
}

static PyMethodDef METHODS[] = {
    {"pack", py_pack, METH_VARARGS, "pack(grey, thresholds or None, level, width, height): packed rows, 1 is black"},
    {"t6", py_t6, METH_VARARGS, "t6(rows, width, height): the T.6 code of packed rows, 1 is black"},
    {"t4", py_t4, METH_VARARGS, "t4(rows, width, height, every): their T.4 code, every so many rows of themselves, 0: all"},
    {"scale", py_scale, METH_VARARGS, "scale(grey, width, height, to width, to height, smooth): as Pillow's HAMMING, or "
                                      "BILINEAR where smooth"},
    {"extremes", py_extremes, METH_VARARGS, "extremes(grey, width, height, side): least and most grey of each square"},
    {"reduced", py_reduced, METH_VARARGS, "reduced(rows, width, height, across, down): grey of the ink in each box of so "
                                          "many dots, across 4 or 8"},
    {"straight", py_straight, METH_VARARGS, "straight(rows, grey, sure, hint, width, height): packed rows without dots that stick out of "
                                    "a straight edge, but for those of a grey below sure, and with such that are "
                                    "missing in one, of a grey below hint"},
    {"walk", py_walk, METH_VARARGS, "walk(code, form, width, rows): rows that are there, bad ones, most of those together, "
                                    "whether an end was found, bytes left behind it"},
    {NULL, NULL, 0, NULL}};

static struct PyModuleDef MODULE = {PyModuleDef_HEAD_INIT, "_dots", NULL, 0, METHODS, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__dots(void)
{
    return PyModuleDef_Init(&MODULE);
}
