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

WIDE static void singles(Sheet page, int y, int bytes, uint8_t *restrict found)
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
        found[i] = (uint8_t)(h[i] & (((over | under) & ~(hl | hr)) | ((east | west) & ~(a[i] | b[i]))));
    }
}

/* The left ones of pairs side by side. */
WIDE static void flat_pairs(Sheet page, int y, int bytes, uint8_t *restrict found)
{
    const uint8_t *a = row_of(page, y - 1), *h = row_of(page, y), *b = row_of(page, y + 1);
    APART
    for (int i = 0; i < bytes; i++) {
        uint8_t al = LEFT(a, 1), ar = RIGHT(a, 1), ar2 = RIGHT(a, 2), bl = LEFT(b, 1), br = RIGHT(b, 1), br2 = RIGHT(b, 2);
        uint8_t over = (uint8_t)(bl & b[i] & br & br2 & (LEFT(b, 2) | RIGHT(b, 3)) & ~(al | a[i] | ar | ar2));
        uint8_t under = (uint8_t)(al & a[i] & ar & ar2 & (LEFT(a, 2) | RIGHT(a, 3)) & ~(bl | b[i] | br | br2));
        found[i] = (uint8_t)(h[i] & RIGHT(h, 1) & ~(LEFT(h, 1) | RIGHT(h, 2)) & (over | under));
    }
}

/* The upper ones of pairs one below the other. */
WIDE static void steep_pairs(Sheet page, int y, int bytes, uint8_t *restrict found)
{
    const uint8_t *aa = row_of(page, y - 2), *a = row_of(page, y - 1), *h = row_of(page, y);
    const uint8_t *b = row_of(page, y + 1), *bb = row_of(page, y + 2), *bbb = row_of(page, y + 3);
    APART
    for (int i = 0; i < bytes; i++) {
        uint8_t al = LEFT(a, 1), ar = RIGHT(a, 1), hl = LEFT(h, 1), hr = RIGHT(h, 1), bl = LEFT(b, 1), br = RIGHT(b, 1);
        uint8_t bbl = LEFT(bb, 1), bbr = RIGHT(bb, 1);
        uint8_t east = (uint8_t)(al & hl & bl & bbl & (LEFT(aa, 1) | LEFT(bbb, 1)) & ~(ar | hr | br | bbr));
        uint8_t west = (uint8_t)(ar & hr & br & bbr & (RIGHT(aa, 1) | RIGHT(bbb, 1)) & ~(al | hl | bl | bbl));
        found[i] = (uint8_t)(h[i] & b[i] & ~(a[i] | bb[i]) & (east | west));
    }
}

/* What is looked through: dots of rows of so many bytes, and the greys that they were made of. */
typedef struct { uint8_t *rows; size_t stride; const uint8_t *grey; int width, sure; } Drawn;

static void take_away(Drawn page, int y, int x)
{
    page.rows[(size_t)y * page.stride + (size_t)(x / 8)] &= (uint8_t)~(0x80 >> x % 8);
}

static int is_sure(Drawn page, int y, int x)
{
    return page.grey[(size_t)y * (size_t)page.width + (size_t)x] < page.sure;
}

/* Take away a dot and the one that lies (across, down) from it, unless ink is sure of one. */
static void clear(Drawn page, int y, int x, int across, int down)
{
    if (x + across < page.width && !is_sure(page, y, x) && !is_sure(page, y + down, x + across)) {
        take_away(page, y, x);
        take_away(page, y + down, x + across);
    }
}

/* Do so with all that are found in row y; there are few, and room for whole words. */
static void clear_all(Drawn page, const uint8_t *found, int bytes, int y, int across, int down)
{
    for (int i = 0; i < bytes; i += 8) {
        uint64_t word;
        memcpy(&word, found + i, sizeof word);
        for (int k = i; word && k < i + 8; k++)
            for (int bit = 0; found[k] && bit < 8; bit++)
                if (found[k] & 0x80 >> bit)
                    clear(page, y, 8 * k + bit, across, down);
    }
}

static int even_rows(const uint8_t *rows, int height, Drawn out)
{
    int bytes = (out.width + 7) / 8, done = 0;
    Sheet page = {NULL, 0}, single = {NULL, 0};
    uint8_t *found = calloc((size_t)bytes + 8, 1);
    if (found && new_sheet(&page, bytes, height) && new_sheet(&single, bytes, height)) {
        take(page, rows, bytes, height);
        take(single, rows, bytes, height);
        Drawn inner = {row_of(single, 0), single.stride, out.grey, out.width, out.sure};
        for (int y = 0; y < height; y++)
            if (!is_blank(row_of(page, y), bytes)) {
                singles(page, y, bytes, found);
                clear_all(inner, found, bytes, y, 0, 0);
            }
        for (int y = 0; y < height; y++)
            memcpy(out.rows + (size_t)y * out.stride, row_of(single, y), (size_t)bytes);
        for (int y = 0; y < height; y++)
            if (!is_blank(row_of(single, y), bytes)) {
                flat_pairs(single, y, bytes, found);
                clear_all(out, found, bytes, y, 1, 0);
                steep_pairs(single, y, bytes, found);
                clear_all(out, found, bytes, y, 0, 1);
            }
        done = 1;
    }
    free(found);
    free(page.memory);
    free(single.memory);
    return done;
}

PyObject *py_even(PyObject *self, PyObject *args)
{
    Py_buffer rows, grey;
    PyObject *result = NULL;
    int width, height, sure, done;
    if (!PyArg_ParseTuple(args, "y*y*iii", &rows, &grey, &sure, &width, &height))
        return NULL;
    if (fits(width, height)) {
        Py_ssize_t bytes = (width + 7) / 8, size = bytes * height;
        if (rows.len != size || grey.len != (Py_ssize_t)width * height) {
            PyErr_SetString(PyExc_ValueError, "as many bytes as the rows and the greys have are needed");
        } else if ((result = PyBytes_FromStringAndSize(NULL, size)) != NULL) {
            Drawn out = {(uint8_t *)PyBytes_AsString(result), (size_t)bytes, grey.buf, width, sure};
            Py_BEGIN_ALLOW_THREADS
            done = even_rows(rows.buf, height, out);
            Py_END_ALLOW_THREADS
            if (!done) {
                Py_DECREF(result);
                result = PyErr_NoMemory();
            }
        }
    }
    PyBuffer_Release(&rows);
    PyBuffer_Release(&grey);
    return result;
}
