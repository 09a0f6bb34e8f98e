/* A walk through T.6 and T.4 code: how many rows can be read, and how many cannot.
 *
 * gateway/documents/walk.py calls this, says what the numbers mean, and has the same for places without a compiler.
 */

#include "_dots.h"
#include <stdlib.h>
#include <string.h>

/* The next bits of the code begin with a word of so many bits that means this; of no bits where they are none. */
typedef struct { uint8_t size; int16_t meaning; } Meaning;

enum { T6, T4, T4_2D, BYTES, WORDS };
enum { PASS = 4, HORIZONTAL = 5 };
#define RUN_BITS 13
#define MODE_BITS 7
#define EOL_BITS 12

static Meaning modes[1 << MODE_BITS], runs[2][1 << RUN_BITS];

static void learn(Meaning *table, int bits, unsigned word, int size, int meaning)
{
    for (unsigned rest = 0; rest < 1u << (bits - size); rest++)
        table[word << (bits - size) | rest] = (Meaning){(uint8_t)size, (int16_t)meaning};
}

/* Under the interpreter's lock. */
static void learn_all(void)
{
    static const struct { uint8_t word, size; int8_t meaning; } KNOWN[] = {
        {1, 1, 0}, {3, 3, 1}, {2, 3, -1}, {3, 6, 2}, {2, 6, -2}, {3, 7, 3}, {2, 7, -3}, {1, 4, PASS}, {1, 3, HORIZONTAL}};
    if (modes[1 << (MODE_BITS - 1)].size)
        return;
    for (int black = 0; black < 2; black++)
        for (int length = 0; length <= 2560; length += length < 64 ? 1 : 64) {
            unsigned word;
            int size = run_word(length, black, &word);
            learn(runs[black], RUN_BITS, word, size, length);
        }
    for (size_t n = 0; n < sizeof KNOWN / sizeof *KNOWN; n++)
        learn(modes, MODE_BITS, KNOWN[n].word, KNOWN[n].size, KNOWN[n].meaning);
}

/* Code and the place in it. */
typedef struct { const uint8_t *code; Py_ssize_t size, at; int width; } Bits;

/* What lies behind the end is 0. */
static inline unsigned next(const Bits *bits, int count)
{
    Py_ssize_t byte = bits->at >> 3, last = bits->size >> 3;
    uint32_t four = 0;
    if (byte + 4 <= last) {
        const uint8_t *from = bits->code + byte;
        four = (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
    } else {
        for (int n = 0; n < 4 && byte + n < last; n++)
            four |= (uint32_t)bits->code[byte + n] << (24 - 8 * n);
    }
    return four >> (32 - count - (int)(bits->at & 7)) & ((1u << count) - 1);
}

static int passes_end(Bits *bits, int tag)
{
    if (bits->at >= bits->size || next(bits, EOL_BITS) != 1)
        return 0;
    bits->at += EOL_BITS + tag;
    return 1;
}

static int finds_end(Bits *bits)
{
    for (int zeros = 0; bits->at < bits->size;) {
        if (!(bits->at & 7) && !bits->code[bits->at >> 3]) {
            bits->at += 8;
            zeros = zeros < EOL_BITS ? zeros + 8 : zeros;
            continue;
        }
        if (next(bits, 1)) {
            bits->at++;
            if (zeros >= EOL_BITS - 1)
                return 1;
            zeros = 0;
        } else {
            bits->at++;
            zeros++;
        }
    }
    return 0;
}

/* A run's length; -1 where there is none, or none that fits. */
static int run(Bits *bits, int black)
{
    for (int length = 0; length <= bits->width && bits->at < bits->size;) {
        Meaning word = runs[black][next(bits, RUN_BITS)];
        if (!word.size)
            return -1;
        bits->at += word.size;
        length += word.meaning;
        if (word.meaning < 64)
            return length;
    }
    return -1;
}

static void close_row(int *row, int width)
{
    row[0] = row[1] = row[2] = row[3] = width;
}

/* Rows are the places where they change their colour, white first, rising, and the width four times. A row that is read
 * may have more than it has dots, by runs of none, but not many. */
static int most_places(int width)
{
    return width + 2;
}

/* A row that is coded of itself; 0 where it is none of the page's width. */
static int row_alone(Bits *bits, int *row)
{
    int place = 0, black = 0, count = 0;
    while (place < bits->width) {
        int length = run(bits, black);
        if (length < 0 || place + length > bits->width || count == most_places(bits->width))
            return 0;
        row[count++] = place += length;
        black = !black;
    }
    close_row(row + count, bits->width);
    return 1;
}

/* A row that is coded after the one above it. */
static int row_after(Bits *bits, const int *above, int *row)
{
    int a0 = -1, b = 0, count = 0;
    while (a0 < bits->width) {
        Meaning mode = {0, 0};
        int from = a0 < 0 ? 0 : a0;
        while (above[b] <= a0)
            b += 2;
        if (bits->at < bits->size)
            mode = modes[next(bits, MODE_BITS)];
        if (!mode.size || count + 2 > most_places(bits->width))
            return 0;
        bits->at += mode.size;
        if (mode.meaning == PASS) {
            if (above[b] >= bits->width)
                return 0;
            a0 = above[b + 1];
        } else if (mode.meaning == HORIZONTAL) {
            int first = run(bits, b & 1), second = first < 0 ? -1 : run(bits, !(b & 1));
            if (second < 0 || from + first + second > bits->width)
                return 0;
            row[count++] = from + first;
            row[count++] = a0 = from + first + second;
        } else {
            int place = above[b] + mode.meaning;
            if (place < from || place > bits->width)
                return 0;
            row[count++] = a0 = place;
            b += b ? -1 : 1;
        }
    }
    close_row(row + count, bits->width);
    return 1;
}

/* What was found, as gateway.documents.walk.Walk has it. */
typedef struct { int rows, bad, together, ended; } Walk;

typedef struct { int *above, *row; } Pair;

static void turn(Pair *pair)
{
    int *other = pair->above;
    pair->above = pair->row;
    pair->row = other;
}

/* Code without an end of line ends with its last good row. */
static void walk_rows(Bits *bits, int form, int rows, Pair pair, Walk *walk)
{
    close_row(pair.above, bits->width);
    for (; walk->rows < rows; walk->rows++, turn(&pair)) {
        if (form == T6 && passes_end(bits, 0))
            break;
        if (form == T6 ? !row_after(bits, pair.above, pair.row) : !row_alone(bits, pair.row))
            return;
        if (form != T6)
            bits->at += -bits->at & (form == BYTES ? 7 : 15);
    }
    if (form == T6) {
        walk->ended = walk->rows < rows || passes_end(bits, 0);
        passes_end(bits, 0);
    }
}

static void walk_lines(Bits *bits, int tagged, int rows, Pair pair, Walk *walk)
{
    int known = 0, together = 0;
    while (walk->rows < rows && finds_end(bits)) {
        int alone = 1;
        if (tagged) {
            alone = bits->at < bits->size && next(bits, 1);
            bits->at++;
        }
        if (passes_end(bits, tagged)) {
            while (passes_end(bits, tagged))
                ;
            walk->ended = 1;
            return;
        }
        if (bits->at >= bits->size)
            return;
        known = alone ? row_alone(bits, pair.row) : known && row_after(bits, pair.above, pair.row);
        turn(&pair);
        walk->rows++;
        walk->bad += !known;
        together = known ? 0 : together + 1;
        walk->together = together > walk->together ? together : walk->together;
    }
}

/* How many bytes follow, but for zeros. */
static Py_ssize_t left(const Bits *bits)
{
    Py_ssize_t from = (bits->at + 7) / 8, to = bits->size / 8;
    while (to > from && !bits->code[to - 1])
        to--;
    return to > from ? to - from : 0;
}

PyObject *py_walk(PyObject *self, PyObject *args)
{
    Py_buffer code;
    PyObject *result = NULL;
    int form, width, rows;
    Walk walk = {0, 0, 0, 0};
    if (!PyArg_ParseTuple(args, "y*iii", &code, &form, &width, &rows))
        return NULL;
    if (fits(width, rows)) {
        size_t places = (size_t)most_places(width) + 4;
        int *both = malloc(2 * places * sizeof(int));
        Bits bits = {code.buf, code.len * 8, 0, width};
        learn_all();
        if (!both) {
            result = PyErr_NoMemory();
        } else {
            Py_BEGIN_ALLOW_THREADS
            if (form == T4 || form == T4_2D)
                walk_lines(&bits, form == T4_2D, rows, (Pair){both, both + places}, &walk);
            else
                walk_rows(&bits, form, rows, (Pair){both, both + places}, &walk);
            Py_END_ALLOW_THREADS
            free(both);
            result = Py_BuildValue("iiiOn", walk.rows, walk.bad, walk.together, walk.ended ? Py_True : Py_False,
                                   left(&bits));
        }
    }
    PyBuffer_Release(&code);
    return result;
}
