/* Straight edges: single dots that stick out of one.
 *
 * gateway/documents/edges.py calls this and has the same in whole numbers for places without a compiler.
 */

#include "_dots.h"
#include <stdlib.h>
#include <string.h>

/* A row between two white bytes, and what its dots have to their left and right. */
typedef struct { uint8_t *dots, *left, *right; } Row;

static void take(Row row, const uint8_t *from, int bytes)
{
    if (from)
        memcpy(row.dots, from, (size_t)bytes);
    else
        memset(row.dots, 0, (size_t)bytes);
    for (int i = 0; i < bytes; i++) {
        row.left[i] = (uint8_t)(row.dots[i] >> 1 | row.dots[i - 1] << 7);
        row.right[i] = (uint8_t)(row.dots[i] << 1 | row.dots[i + 1] >> 7);
    }
}

WIDE static void even_row(Row above, Row here, Row below, int bytes, uint8_t *out)
{
    for (int i = 0; i < bytes; i++) {
        uint8_t a = above.dots[i], al = above.left[i], ar = above.right[i];
        uint8_t h = here.dots[i], hl = here.left[i], hr = here.right[i];
        uint8_t b = below.dots[i], bl = below.left[i], br = below.right[i];
        uint8_t over = (uint8_t)(al & a & ar & ~(bl | b | br)), under = (uint8_t)(bl & b & br & ~(al | a | ar));
        uint8_t west = (uint8_t)(al & hl & bl & ~(ar | hr | br)), east = (uint8_t)(ar & hr & br & ~(al | hl | bl));
        uint8_t flat = over | under, steep = west | east;
        uint8_t bump = (uint8_t)(h & ((flat & ~(hl | hr)) | (steep & ~(a | b))));
        out[i] = (uint8_t)(h & ~bump);
    }
}

static int even(const uint8_t *rows, int width, int height, uint8_t *out)
{
    int bytes = (width + 7) / 8;
    size_t room = (size_t)bytes + 2;
    uint8_t *memory = calloc(9, room);
    if (!memory)
        return 0;
    Row three[3];
    for (int i = 0; i < 3; i++)
        three[i] = (Row){memory + room * (size_t)(3 * i) + 1, memory + room * (size_t)(3 * i + 1),
                         memory + room * (size_t)(3 * i + 2)};
    take(three[1], rows, bytes);
    for (int y = 0; y < height; y++) {
        take(three[(y + 2) % 3], y + 1 < height ? rows + (size_t)(y + 1) * (size_t)bytes : NULL, bytes);
        even_row(three[y % 3], three[(y + 1) % 3], three[(y + 2) % 3], bytes, out + (size_t)y * (size_t)bytes);
    }
    free(memory);
    return 1;
}

PyObject *py_even(PyObject *self, PyObject *args)
{
    Py_buffer rows;
    PyObject *result = NULL;
    int width, height, done;
    if (!PyArg_ParseTuple(args, "y*ii", &rows, &width, &height))
        return NULL;
    if (fits(width, height)) {
        if (rows.len != (Py_ssize_t)((width + 7) / 8) * height) {
            PyErr_SetString(PyExc_ValueError, "as many bytes as the rows have are needed");
        } else if ((result = PyBytes_FromStringAndSize(NULL, rows.len)) != NULL) {
            uint8_t *out = (uint8_t *)PyBytes_AsString(result);
            Py_BEGIN_ALLOW_THREADS
            done = even(rows.buf, width, height, out);
            Py_END_ALLOW_THREADS
            if (!done) {
                Py_DECREF(result);
                result = PyErr_NoMemory();
            }
        }
    }
    PyBuffer_Release(&rows);
    return result;
}
