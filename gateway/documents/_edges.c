/* Straight edges: single dots, and then pairs, that stick out of one.
 *
 * gateway/documents/edges.py calls this and has the same in whole numbers for places without a compiler.
 */

#include "_dots.h"
#include <stdlib.h>
#include <string.h>

/* Rows above and below each that are looked at. */
#define AROUND 3

/* What eight dots have n to their left and right. */
#define LEFT(row, n) (uint8_t)((row)[i] >> (n) | (row)[i - 1] << (8 - (n)))
#define RIGHT(row, n) (uint8_t)((row)[i] << (n) | (row)[i + 1] >> (8 - (n)))

/* A page with white around it: AROUND rows, and a byte at each end of a row. */
typedef struct { uint8_t *memory; size_t stride; } Sheet;

static int new_sheet(Sheet *sheet, int bytes, int height)
{
    sheet->stride = (size_t)bytes + 2;
    sheet->memory = calloc((size_t)height + 2 * AROUND, sheet->stride);
    return sheet->memory != NULL;
}

static uint8_t *row_of(Sheet sheet, int y)
{
    return sheet.memory + (size_t)(y + AROUND) * sheet.stride + 1;
}

static void take(Sheet sheet, const uint8_t *rows, int bytes, int height)
{
    for (int y = 0; y < height; y++)
        memcpy(row_of(sheet, y), rows + (size_t)y * (size_t)bytes, (size_t)bytes);
}

static int is_blank(const uint8_t *row, int bytes)
{
    return !row[0] && !memcmp(row, row + 1, (size_t)bytes - 1);
}

WIDE static void singles_row(Sheet page, const uint8_t *sure, int y, int bytes, uint8_t *restrict out)
{
    const uint8_t *aa = row_of(page, y - 2), *a = row_of(page, y - 1), *h = row_of(page, y);
    const uint8_t *b = row_of(page, y + 1), *bb = row_of(page, y + 2);
    APART
    for (int i = 0; i < bytes; i++) {
        uint8_t al = LEFT(a, 1), ar = RIGHT(a, 1), hl = LEFT(h, 1), hr = RIGHT(h, 1), bl = LEFT(b, 1), br = RIGHT(b, 1);
        uint8_t over = (uint8_t)(bl & b[i] & br & (LEFT(b, 2) | RIGHT(b, 2)) & ~(al | a[i] | ar));
        uint8_t under = (uint8_t)(al & a[i] & ar & (LEFT(a, 2) | RIGHT(a, 2)) & ~(bl | b[i] | br));
        uint8_t east = (uint8_t)(al & hl & bl & (LEFT(aa, 1) | LEFT(bb, 1)) & ~(ar | hr | br));
        uint8_t west = (uint8_t)(ar & hr & br & (RIGHT(aa, 1) | RIGHT(bb, 1)) & ~(al | hl | bl));
        uint8_t bump = (uint8_t)(((over | under) & ~(hl | hr)) | ((east | west) & ~(a[i] | b[i])));
        out[i] = (uint8_t)(h[i] & ~(bump & ~sure[i]));
    }
}

/* Pairs side by side: a dot is the first of its pair, or the second. */
WIDE static void flat_pairs_row(Sheet page, const uint8_t *sure, int y, int bytes, uint8_t *restrict out)
{
    const uint8_t *a = row_of(page, y - 1), *h = row_of(page, y), *b = row_of(page, y + 1);
    APART
    for (int i = 0; i < bytes; i++) {
        uint8_t al = LEFT(a, 1), ar = RIGHT(a, 1), al2 = LEFT(a, 2), ar2 = RIGHT(a, 2);
        uint8_t bl = LEFT(b, 1), br = RIGHT(b, 1), bl2 = LEFT(b, 2), br2 = RIGHT(b, 2);
        uint8_t black_a = al & a[i] & ar, black_b = bl & b[i] & br;
        uint8_t white_a = (uint8_t)~(al | a[i] | ar), white_b = (uint8_t)~(bl | b[i] | br);
        uint8_t on_first = (uint8_t)((black_b & br2 & (bl2 | RIGHT(b, 3)) & white_a & ~ar2) |
                                     (black_a & ar2 & (al2 | RIGHT(a, 3)) & white_b & ~br2));
        uint8_t on_second = (uint8_t)((black_b & bl2 & (br2 | LEFT(b, 3)) & white_a & ~al2) |
                                      (black_a & al2 & (ar2 | LEFT(a, 3)) & white_b & ~bl2));
        uint8_t hl = LEFT(h, 1), hr = RIGHT(h, 1);
        uint8_t first = (uint8_t)(on_first & hr & ~(hl | RIGHT(h, 2) | RIGHT(sure, 1)));
        uint8_t second = (uint8_t)(on_second & hl & ~(hr | LEFT(h, 2) | LEFT(sure, 1)));
        out[i] = (uint8_t)(h[i] & ~((first | second) & ~sure[i]));
    }
}

/* Pairs one below the other: their dots are taken from out. */
WIDE static void steep_pairs_row(Sheet page, Sheet certain, int y, int bytes, uint8_t *restrict out)
{
    const uint8_t *aaa = row_of(page, y - 3), *aa = row_of(page, y - 2), *a = row_of(page, y - 1), *h = row_of(page, y);
    const uint8_t *b = row_of(page, y + 1), *bb = row_of(page, y + 2), *bbb = row_of(page, y + 3);
    const uint8_t *sure_a = row_of(certain, y - 1), *sure = row_of(certain, y), *sure_b = row_of(certain, y + 1);
    APART
    for (int i = 0; i < bytes; i++) {
        uint8_t aal = LEFT(aa, 1), aar = RIGHT(aa, 1), bbl = LEFT(bb, 1), bbr = RIGHT(bb, 1);
        uint8_t al = LEFT(a, 1), ar = RIGHT(a, 1), hl = LEFT(h, 1), hr = RIGHT(h, 1), bl = LEFT(b, 1), br = RIGHT(b, 1);
        uint8_t left = al & hl & bl, right = ar & hr & br;
        uint8_t not_left = (uint8_t)~(al | hl | bl), not_right = (uint8_t)~(ar | hr | br);
        uint8_t on_first = (uint8_t)((left & bbl & (aal | LEFT(bbb, 1)) & not_right & ~bbr) |
                                     (right & bbr & (aar | RIGHT(bbb, 1)) & not_left & ~bbl));
        uint8_t on_second = (uint8_t)((left & aal & (bbl | LEFT(aaa, 1)) & not_right & ~aar) |
                                      (right & aar & (bbr | RIGHT(aaa, 1)) & not_left & ~aal));
        uint8_t first = (uint8_t)(on_first & b[i] & ~(a[i] | bb[i] | sure_b[i]));
        uint8_t second = (uint8_t)(on_second & a[i] & ~(b[i] | aa[i] | sure_a[i]));
        out[i] = (uint8_t)(out[i] & ~((first | second) & ~sure[i]));
    }
}

static void even(Sheet page, Sheet sure, Sheet single, int bytes, int height, uint8_t *out)
{
    for (int y = 0; y < height; y++)
        if (!is_blank(row_of(page, y), bytes))
            singles_row(page, row_of(sure, y), y, bytes, row_of(single, y));
    for (int y = 0; y < height; y++) {
        uint8_t *done = out + (size_t)y * (size_t)bytes;
        if (is_blank(row_of(single, y), bytes)) {
            memset(done, 0, (size_t)bytes);
            continue;
        }
        flat_pairs_row(single, row_of(sure, y), y, bytes, done);
        steep_pairs_row(single, sure, y, bytes, done);
    }
}

static int even_rows(const uint8_t *rows, const uint8_t *certain, int width, int height, uint8_t *out)
{
    int bytes = (width + 7) / 8, done = 0;
    Sheet page = {NULL, 0}, sure = {NULL, 0}, single = {NULL, 0};
    if (new_sheet(&page, bytes, height) && new_sheet(&sure, bytes, height) && new_sheet(&single, bytes, height)) {
        take(page, rows, bytes, height);
        take(sure, certain, bytes, height);
        even(page, sure, single, bytes, height, out);
        done = 1;
    }
    free(page.memory);
    free(sure.memory);
    free(single.memory);
    return done;
}

PyObject *py_even(PyObject *self, PyObject *args)
{
    Py_buffer rows, sure;
    PyObject *result = NULL;
    int width, height, done;
    if (!PyArg_ParseTuple(args, "y*y*ii", &rows, &sure, &width, &height))
        return NULL;
    if (fits(width, height)) {
        Py_ssize_t size = (Py_ssize_t)((width + 7) / 8) * height;
        if (rows.len != size || sure.len != size) {
            PyErr_SetString(PyExc_ValueError, "as many bytes as the rows have are needed");
        } else if ((result = PyBytes_FromStringAndSize(NULL, size)) != NULL) {
            uint8_t *out = (uint8_t *)PyBytes_AsString(result);
            Py_BEGIN_ALLOW_THREADS
            done = even_rows(rows.buf, sure.buf, width, height, out);
            Py_END_ALLOW_THREADS
            if (!done) {
                Py_DECREF(result);
                result = PyErr_NoMemory();
            }
        }
    }
    PyBuffer_Release(&rows);
    PyBuffer_Release(&sure);
    return result;
}
