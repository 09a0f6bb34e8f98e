/* T.6 and T.4 code of packed rows.
 *
 * gateway/documents/dots.py calls this and has the same of libtiff for places without a compiler.
 */

#include "_dots.h"
#include <stdlib.h>
#include <string.h>

/* Code words of run lengths (ITU-T T.4, tables 2, 3a and 3b): bits and their number. */
typedef struct { uint16_t bits; uint8_t size; } Word;

static const Word WHITE[64] = {
    {0x35,8},{0x7,6},{0x7,4},{0x8,4},{0xB,4},{0xC,4},{0xE,4},{0xF,4},{0x13,5},{0x14,5},{0x7,5},{0x8,5},{0x8,6},
    {0x3,6},{0x34,6},{0x35,6},{0x2A,6},{0x2B,6},{0x27,7},{0xC,7},{0x8,7},{0x17,7},{0x3,7},{0x4,7},{0x28,7},{0x2B,7},
    {0x13,7},{0x24,7},{0x18,7},{0x2,8},{0x3,8},{0x1A,8},{0x1B,8},{0x12,8},{0x13,8},{0x14,8},{0x15,8},{0x16,8},
    {0x17,8},{0x28,8},{0x29,8},{0x2A,8},{0x2B,8},{0x2C,8},{0x2D,8},{0x4,8},{0x5,8},{0xA,8},{0xB,8},{0x52,8},
    {0x53,8},{0x54,8},{0x55,8},{0x24,8},{0x25,8},{0x58,8},{0x59,8},{0x5A,8},{0x5B,8},{0x4A,8},{0x4B,8},{0x32,8},
    {0x33,8},{0x34,8}};
static const Word BLACK[64] = {
    {0x37,10},{0x2,3},{0x3,2},{0x2,2},{0x3,3},{0x3,4},{0x2,4},{0x3,5},{0x5,6},{0x4,6},{0x4,7},{0x5,7},{0x7,7},
    {0x4,8},{0x7,8},{0x18,9},{0x17,10},{0x18,10},{0x8,10},{0x67,11},{0x68,11},{0x6C,11},{0x37,11},{0x28,11},
    {0x17,11},{0x18,11},{0xCA,12},{0xCB,12},{0xCC,12},{0xCD,12},{0x68,12},{0x69,12},{0x6A,12},{0x6B,12},{0xD2,12},
    {0xD3,12},{0xD4,12},{0xD5,12},{0xD6,12},{0xD7,12},{0x6C,12},{0x6D,12},{0xDA,12},{0xDB,12},{0x54,12},{0x55,12},
    {0x56,12},{0x57,12},{0x64,12},{0x65,12},{0x52,12},{0x53,12},{0x24,12},{0x37,12},{0x38,12},{0x27,12},{0x28,12},
    {0x58,12},{0x59,12},{0x2B,12},{0x2C,12},{0x5A,12},{0x66,12},{0x67,12}};
static const Word WHITE_64[27] = {
    {0x1B,5},{0x12,5},{0x17,6},{0x37,7},{0x36,8},{0x37,8},{0x64,8},{0x65,8},{0x68,8},{0x67,8},{0xCC,9},{0xCD,9},
    {0xD2,9},{0xD3,9},{0xD4,9},{0xD5,9},{0xD6,9},{0xD7,9},{0xD8,9},{0xD9,9},{0xDA,9},{0xDB,9},{0x98,9},{0x99,9},
    {0x9A,9},{0x18,6},{0x9B,9}};
static const Word BLACK_64[27] = {
    {0xF,10},{0xC8,12},{0xC9,12},{0x5B,12},{0x33,12},{0x34,12},{0x35,12},{0x6C,13},{0x6D,13},{0x4A,13},{0x4B,13},
    {0x4C,13},{0x4D,13},{0x72,13},{0x73,13},{0x74,13},{0x75,13},{0x76,13},{0x77,13},{0x52,13},{0x53,13},{0x54,13},
    {0x55,13},{0x5A,13},{0x5B,13},{0x64,13},{0x65,13}};
/* 1792, 1856 ... 2560, for both colours. */
static const Word LONG_64[13] = {
    {0x8,11},{0xC,11},{0xD,11},{0x12,12},{0x13,12},{0x14,12},{0x15,12},{0x16,12},{0x17,12},{0x1C,12},{0x1D,12},
    {0x1E,12},{0x1F,12}};
/* Vertical mode, a1 three to the left of b1 up to three to the right of it (T.6, table 1). */
static const Word VERTICAL[7] = {{0x2,7},{0x2,6},{0x2,3},{0x1,1},{0x3,3},{0x3,6},{0x3,7}};
static const Word PASS = {0x1,4}, HORIZONTAL = {0x1,3};

typedef struct { uint8_t *out; Py_ssize_t length, room; uint64_t held; int count; } Sink;

/* Fewer than 32 bits are held from one word to the next. */
static inline void put(Sink *sink, Word word)
{
    sink->held = sink->held << word.size | word.bits;
    sink->count += word.size;
    if (sink->count >= 32) {
        sink->count -= 32;
        uint32_t four = (uint32_t)(sink->held >> sink->count);
        uint8_t *out = sink->out + sink->length;
        out[0] = (uint8_t)(four >> 24);
        out[1] = (uint8_t)(four >> 16);
        out[2] = (uint8_t)(four >> 8);
        out[3] = (uint8_t)four;
        sink->length += 4;
    }
}

/* The last bits, filled up with zeros to a whole byte. */
static void put_rest(Sink *sink)
{
    for (; sink->count > 0; sink->count -= 8)
        sink->out[sink->length++] =
            (uint8_t)(sink->count >= 8 ? sink->held >> (sink->count - 8) : sink->held << (8 - sink->count));
}

static void put_run(Sink *sink, int length, int black)
{
    for (; length >= 2560; length -= 2560)
        put(sink, LONG_64[12]);
    if (length >= 1792)
        put(sink, LONG_64[length / 64 - 28]);
    else if (length >= 64)
        put(sink, (black ? BLACK_64 : WHITE_64)[length / 64 - 1]);
    put(sink, (black ? BLACK : WHITE)[length % 64]);
}

int run_word(int length, int black, unsigned *word)
{
    Word known = length < 64     ? (black ? BLACK : WHITE)[length]
                 : length < 1792 ? (black ? BLACK_64 : WHITE_64)[length / 64 - 1]
                                 : LONG_64[length / 64 - 28];
    *word = known.bits;
    return known.size;
}

/* Where a row changes colour, the white before it first: rising, closed by the width four times. */
static void changes(const uint8_t *row, int width, int *at)
{
    uint64_t before = 0;
    for (int x = 0; x < width; x += 64, row += 8) {
        uint64_t word = word_at(row, (width - x + 7) / 8), turns = word ^ (word >> 1 | before << 63);
        before = word & 1;
        while (turns) {
            int bit = leading_zeros(turns);
            if (x + bit >= width)
                break;
            *at++ = x + bit;
            turns &= ~(UINT64_C(1) << (63 - bit));
        }
    }
    at[0] = at[1] = at[2] = at[3] = width;
}

/* One row after the other above it (T.6, 2.2). Changes to black have even places, so the places of a1 and b1 are both
 * even or both odd: each pass and each horizontal mode keeps the colour, each vertical mode turns it. */
static void put_row(Sink *sink, const int *above, const int *row, int width)
{
    int a0 = -1, a = 0, b = 0;
    while (a0 < width) {
        while (above[b] <= a0)
            b += 2;
        int a1 = row[a], b1 = above[b];
        if (b1 < width && above[b + 1] < a1) {
            put(sink, PASS);
            a0 = above[b + 1];
        } else if (a1 - b1 >= -3 && a1 - b1 <= 3) {
            put(sink, VERTICAL[a1 - b1 + 3]);
            a0 = a1;
            a++;
            b += b ? -1 : 1; /* the change before b1 may lie right of a0 */
        } else {
            int a2 = a1 < width ? row[a + 1] : width;
            put(sink, HORIZONTAL);
            put_run(sink, a1 - (a0 < 0 ? 0 : a0), a & 1);
            put_run(sink, a2 - a1, !(a & 1));
            a0 = a2;
            a += 2;
        }
    }
}

static int grow(Sink *sink, Py_ssize_t wanted)
{
    if (sink->room - sink->length >= wanted)
        return 1;
    uint8_t *more = realloc(sink->out, (size_t)(2 * sink->room + wanted));
    if (!more)
        return 0;
    sink->out = more;
    sink->room = 2 * sink->room + wanted;
    return 1;
}

/* One row of itself: runs of white and black in turn, white first (T.4, 4.1). */
static void put_runs(Sink *sink, const int *row, int width)
{
    int from = 0, black = 0;
    do {
        put_run(sink, *row - from, black);
        from = *row++;
        black = !black;
    } while (from < width);
}

/* T.6 code of a page where every is negative; else T.4 code with an end of line before each row, of which every so many
 * are coded of themselves, or all if it is 0. */
static int encode(Sink *sink, const uint8_t *rows, int width, int height, int every)
{
    static const Word END = {0x1, 12};
    size_t places = (size_t)width + 8;
    int *lines = malloc(2 * places * sizeof(int));
    if (!lines)
        return 0;
    int *above = lines, *row = lines + places, done = 0;
    changes(rows, 0, above);
    above[0] = above[1] = above[2] = above[3] = width;
    /* No row has more code than this: the worst is two dots of run in about 3 + 12 + 12 bits. */
    while (done < height && grow(sink, (Py_ssize_t)width * 4 + 64)) {
        changes(rows + (size_t)done * (size_t)((width + 7) / 8), width, row);
        int alone = every >= 0 && (every == 0 || done % every == 0);
        if (every >= 0)
            put(sink, END);
        if (every > 0)
            put(sink, (Word){(uint16_t)alone, 1});
        if (alone)
            put_runs(sink, row, width);
        else
            put_row(sink, above, row, width);
        int *other = above;
        above = row;
        row = other;
        done++;
    }
    free(lines);
    if (done < height || !grow(sink, 8))
        return 0;
    if (every < 0) {
        put(sink, END);
        put(sink, END);
    }
    put_rest(sink);
    return 1;
}

static PyObject *coded(PyObject *args, const char *form, int every)
{
    Py_buffer rows;
    PyObject *result = NULL;
    int width, height, done = 0;
    Sink sink = {NULL, 0, 0, 0, 0};
    if (!PyArg_ParseTuple(args, form, &rows, &width, &height, &every))
        return NULL;
    if (fits(width, height)) {
        if (rows.len != (Py_ssize_t)((width + 7) / 8) * height) {
            PyErr_SetString(PyExc_ValueError, "as many bytes as the rows have are needed");
        } else {
            Py_BEGIN_ALLOW_THREADS
            done = encode(&sink, rows.buf, width, height, every);
            Py_END_ALLOW_THREADS
            result = done ? PyBytes_FromStringAndSize((char *)sink.out, sink.length) : PyErr_NoMemory();
        }
    }
    free(sink.out);
    PyBuffer_Release(&rows);
    return result;
}

PyObject *py_t6(PyObject *self, PyObject *args)
{
    return coded(args, "y*ii", -1);
}

PyObject *py_t4(PyObject *self, PyObject *args)
{
    return coded(args, "y*iii", 0);
}

