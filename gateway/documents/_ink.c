/* Ink of packed rows as grey, in boxes of some dots: what small pictures of pages are made of.
 *
 * gateway/documents/dots.py calls this and has the same in Pillow for places without a compiler.
 */

#include "_dots.h"
#include <stdlib.h>
#include <string.h>

static uint8_t black(unsigned byte)
{
    unsigned count = 0;
    for (; byte; byte &= byte - 1)
        count++;
    return (uint8_t)count;
}

/* One line of boxes, from so many rows. Sums are rounded as Pillow does it, with 24 bits behind the point. */
static void line_of(const uint8_t *rows, int width, int across, int down, const uint8_t *counts, uint32_t *sums,
                    uint8_t *out)
{
    int bytes = width / 8, boxes = width / across;
    uint32_t dots = (uint32_t)(across * down), times = (UINT32_C(1) << 24) / dots;
    memset(sums, 0, (size_t)boxes * sizeof(uint32_t));
    for (int y = 0; y < down; y++, rows += bytes)
        for (int i = 0; i < bytes; i++) {
            uint64_t eight;
            if (!rows[i]) {
                while (i + 9 <= bytes && (memcpy(&eight, rows + i + 1, 8), !eight))
                    i += 8; /* white paper */
                continue;
            }
            if (across == 8) {
                sums[i] += counts[rows[i]];
            } else {
                sums[2 * i] += counts[rows[i] >> 4];
                sums[2 * i + 1] += counts[rows[i] & 15];
            }
        }
    for (int i = 0; i < boxes; i++)
        out[i] = (uint8_t)((255 * sums[i] + dots / 2) * times >> 24);
}

static int reduced(const uint8_t *rows, int width, int height, int across, int down, uint8_t *out)
{
    uint8_t counts[256];
    uint32_t *sums = malloc((size_t)(width / across) * sizeof(uint32_t));
    if (!sums)
        return 0;
    for (unsigned byte = 0; byte < 256; byte++)
        counts[byte] = black(byte);
    for (int y = 0; y < height; y += down, out += width / across)
        line_of(rows + (size_t)y * (size_t)(width / 8), width, across, height - y < down ? height - y : down, counts, sums,
                out);
    free(sums);
    return 1;
}

PyObject *py_reduced(PyObject *self, PyObject *args)
{
    Py_buffer rows;
    PyObject *result = NULL;
    int width, height, across, down, done;
    if (!PyArg_ParseTuple(args, "y*iiii", &rows, &width, &height, &across, &down))
        return NULL;
    if (fits(width, height)) {
        if (rows.len != (Py_ssize_t)((width + 7) / 8) * height || width % 8 || (across != 4 && across != 8) || down < 1 ||
            down > 64) {
            PyErr_SetString(PyExc_ValueError, "whole bytes of rows and boxes of 4 or 8 dots across are needed");
        } else {
            Py_ssize_t lines = (height + down - 1) / down;
            if ((result = PyBytes_FromStringAndSize(NULL, lines * (width / across))) != NULL) {
                uint8_t *out = (uint8_t *)PyBytes_AsString(result);
                Py_BEGIN_ALLOW_THREADS
                done = reduced(rows.buf, width, height, across, down, out);
                Py_END_ALLOW_THREADS
                if (!done) {
                    Py_DECREF(result);
                    result = PyErr_NoMemory();
                }
            }
        }
    }
    PyBuffer_Release(&rows);
    return result;
}
