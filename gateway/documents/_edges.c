/* Straight edges: single dots, and then pairs, that stick out of one, and such that are missing in one.
 *
 * gateway/documents/edges.py calls this and has the same in whole numbers for places without a compiler.
 */

#include "_dots.h"
#include <stdlib.h>
#include <string.h>

/* Rows above and below each that are looked at. */
#define AROUND 3

/* A dot that is missing in an edge is one that sticks out of the white: what looks for it sees the page with its
 * colours turned, and looks a second dot deep on both sides. */
#define TURN(white) ((white) ? ~UINT64_C(0) : 0)
#define DEEP(white) ((white) ? 0 : ~UINT64_C(0))

/* Sixty-four dots, and what they have n to their left and right. */
#define HERE(row) ((row)[i] ^ turn)
#define LEFT(row, n) (((row)[i] >> (n) | (row)[i - 1] << (64 - (n))) ^ turn)
#define RIGHT(row, n) (((row)[i] << (n) | (row)[i + 1] >> (64 - (n))) ^ turn)

/* Loops that are compiled for each colour. */
#if defined(__GNUC__)
#define EITHER static inline __attribute__((always_inline))
#else
#define EITHER static inline
#endif

/* A page with paper around it: AROUND rows, and sixty-four dots at each end of a row; the first dot is the highest bit.
 * Outside of the words of a row from first to behind its last is paper only. */
typedef struct { uint64_t *memory; size_t stride; int words, height, first, behind; } Sheet;

static int new_sheet(Sheet *sheet, int width, int height)
{
    *sheet = (Sheet){NULL, (size_t)(width + 63) / 64 + 2, (width + 63) / 64, height, 0, (width + 63) / 64};
    sheet->memory = calloc(((size_t)height + 2 * AROUND) * sheet->stride, sizeof(uint64_t));
    return sheet->memory != NULL;
}

static uint64_t *row_of(Sheet sheet, int y)
{
    return sheet.memory + (size_t)(y + AROUND) * sheet.stride + 1;
}

/* Take the rows; *seen* is room for a row. */
static void take(Sheet *sheet, const uint8_t *rows, int bytes, uint64_t *seen)
{
    memset(seen, 0, (size_t)sheet->words * sizeof(uint64_t));
    for (int y = 0; y < sheet->height; y++, rows += bytes) {
        uint64_t *row = row_of(*sheet, y);
        for (int i = 0; i < bytes; i += 8)
            seen[i / 8] |= row[i / 8] = word_at(rows + i, bytes - i);
    }
    while (sheet->first < sheet->behind && !seen[sheet->first])
        sheet->first++;
    while (sheet->behind > sheet->first && !seen[sheet->behind - 1])
        sheet->behind--;
    /* An edge may lie between two words. */
    sheet->first -= sheet->first > 0;
    sheet->behind += sheet->behind < sheet->words;
}

static void give(Sheet sheet, uint8_t *rows, int bytes)
{
    for (int y = 0; y < sheet.height; y++, rows += bytes) {
        const uint64_t *row = row_of(sheet, y);
        for (int i = 0; i < bytes; i += 8)
            put_word(rows + i, bytes - i, row[i / 8]);
    }
}

/* Say whether a row has no dots that could go: of ink in white paper, of white in black or as the paper beside it. */
static int is_plain(Sheet sheet, int y, int white)
{
    const uint64_t *row = row_of(sheet, y);
    if (row[0] && !(white && row[0] == ~UINT64_C(0)))
        return 0;
    return !memcmp(row, row + 1, (size_t)(sheet.words - 1) * sizeof(uint64_t));
}

/* Each finds dots of row y and says whether there are any. */
EITHER int singles_of(Sheet page, int y, int white, uint64_t *restrict found)
{
    const uint64_t *aa = row_of(page, y - 2), *a = row_of(page, y - 1), *h = row_of(page, y);
    const uint64_t *b = row_of(page, y + 1), *bb = row_of(page, y + 2);
    const uint64_t any = DEEP(white), turn = TURN(white);
    uint64_t some = 0;
    APART
    for (int i = page.first; i < page.behind; i++) {
        uint64_t al = LEFT(a, 1), ar = RIGHT(a, 1), hl = LEFT(h, 1), hr = RIGHT(h, 1), bl = LEFT(b, 1), br = RIGHT(b, 1);
        uint64_t al2 = LEFT(a, 2), ar2 = RIGHT(a, 2), hl2 = LEFT(h, 2), hr2 = RIGHT(h, 2), bl2 = LEFT(b, 2), br2 = RIGHT(b, 2);
        uint64_t aal = LEFT(aa, 1), aar = RIGHT(aa, 1), bbl = LEFT(bb, 1), bbr = RIGHT(bb, 1);
        uint64_t over = bl & HERE(b) & br & (bl2 | br2) & ~(al | HERE(a) | ar);
        uint64_t under = al & HERE(a) & ar & (al2 | ar2) & ~(bl | HERE(b) | br);
        uint64_t east = al & hl & bl & (aal | bbl) & ~(ar | hr | br);
        uint64_t west = ar & hr & br & (aar | bbr) & ~(al | hl | bl);
        over &= (bbl & HERE(bb) & bbr & ~(aal | HERE(aa) | aar)) | any;
        under &= (aal & HERE(aa) & aar & ~(bbl | HERE(bb) | bbr)) | any;
        east &= (al2 & hl2 & bl2 & ~(ar2 | hr2 | br2)) | any;
        west &= (ar2 & hr2 & br2 & ~(al2 | hl2 | bl2)) | any;
        some |= found[i] = HERE(h) & (((over | under) & ~(hl | hr)) | ((east | west) & ~(HERE(a) | HERE(b))));
    }
    return some != 0;
}

EITHER int flat_pairs_of(Sheet page, int y, int white, uint64_t *restrict found)
{
    const uint64_t *aa = row_of(page, y - 2), *a = row_of(page, y - 1), *h = row_of(page, y);
    const uint64_t *b = row_of(page, y + 1), *bb = row_of(page, y + 2);
    const uint64_t any = DEEP(white), turn = TURN(white);
    uint64_t some = 0;
    APART
    for (int i = page.first; i < page.behind; i++) {
        uint64_t al = LEFT(a, 1), ar = RIGHT(a, 1), ar2 = RIGHT(a, 2), bl = LEFT(b, 1), br = RIGHT(b, 1), br2 = RIGHT(b, 2);
        uint64_t aal = LEFT(aa, 1), aar = RIGHT(aa, 1), aar2 = RIGHT(aa, 2);
        uint64_t bbl = LEFT(bb, 1), bbr = RIGHT(bb, 1), bbr2 = RIGHT(bb, 2);
        uint64_t over = bl & HERE(b) & br & br2 & (LEFT(b, 2) | RIGHT(b, 3)) & ~(al | HERE(a) | ar | ar2);
        uint64_t under = al & HERE(a) & ar & ar2 & (LEFT(a, 2) | RIGHT(a, 3)) & ~(bl | HERE(b) | br | br2);
        over &= (bbl & HERE(bb) & bbr & bbr2 & ~(aal | HERE(aa) | aar | aar2)) | any;
        under &= (aal & HERE(aa) & aar & aar2 & ~(bbl | HERE(bb) | bbr | bbr2)) | any;
        some |= found[i] = HERE(h) & RIGHT(h, 1) & ~(LEFT(h, 1) | RIGHT(h, 2)) & (over | under);
    }
    return some != 0;
}

EITHER int steep_pairs_of(Sheet page, int y, int white, uint64_t *restrict found)
{
    const uint64_t *aa = row_of(page, y - 2), *a = row_of(page, y - 1), *h = row_of(page, y);
    const uint64_t *b = row_of(page, y + 1), *bb = row_of(page, y + 2), *bbb = row_of(page, y + 3);
    const uint64_t any = DEEP(white), turn = TURN(white);
    uint64_t some = 0;
    APART
    for (int i = page.first; i < page.behind; i++) {
        uint64_t al = LEFT(a, 1), ar = RIGHT(a, 1), hl = LEFT(h, 1), hr = RIGHT(h, 1), bl = LEFT(b, 1), br = RIGHT(b, 1);
        uint64_t bbl = LEFT(bb, 1), bbr = RIGHT(bb, 1);
        uint64_t al2 = LEFT(a, 2), hl2 = LEFT(h, 2), bl2 = LEFT(b, 2), bbl2 = LEFT(bb, 2);
        uint64_t ar2 = RIGHT(a, 2), hr2 = RIGHT(h, 2), br2 = RIGHT(b, 2), bbr2 = RIGHT(bb, 2);
        uint64_t east = al & hl & bl & bbl & (LEFT(aa, 1) | LEFT(bbb, 1)) & ~(ar | hr | br | bbr);
        uint64_t west = ar & hr & br & bbr & (RIGHT(aa, 1) | RIGHT(bbb, 1)) & ~(al | hl | bl | bbl);
        east &= (al2 & hl2 & bl2 & bbl2 & ~(ar2 | hr2 | br2 | bbr2)) | any;
        west &= (ar2 & hr2 & br2 & bbr2 & ~(al2 | hl2 | bl2 | bbl2)) | any;
        some |= found[i] = HERE(h) & HERE(b) & ~(HERE(a) | HERE(bb)) & (east | west);
    }
    return some != 0;
}

WIDE static int singles(Sheet page, int y, int white, uint64_t *restrict found)
{
    return white ? singles_of(page, y, 1, found) : singles_of(page, y, 0, found);
}

/* The left ones of pairs side by side. */
WIDE static int flat_pairs(Sheet page, int y, int white, uint64_t *restrict found)
{
    return white ? flat_pairs_of(page, y, 1, found) : flat_pairs_of(page, y, 0, found);
}

/* The upper ones of pairs one below the other. */
WIDE static int steep_pairs(Sheet page, int y, int white, uint64_t *restrict found)
{
    return white ? steep_pairs_of(page, y, 1, found) : steep_pairs_of(page, y, 0, found);
}

/* The greys that a page was made of, and the grey that parts those that may go, of ink or of white, from those that
 * stay. */
typedef struct { const uint8_t *grey; int width, limit, white; } Rule;

static int stays(const Rule *rule, int y, int x)
{
    return (rule->grey[(size_t)y * (size_t)rule->width + (size_t)x] < rule->limit) != rule->white;
}

static void turn_dot(Sheet sheet, const Rule *rule, int y, int x)
{
    uint64_t *word = row_of(sheet, y) + x / 64, dot = UINT64_C(1) << (63 - x % 64);
    *word = rule->white ? *word | dot : *word & ~dot;
}

/* Turn the dots that are found in row y, each with the one that lies (across, down) from it, unless one stays. */
static void settle(Sheet sheet, const Rule *rule, const uint64_t *found, int y, int across, int down)
{
    for (int i = sheet.first; i < sheet.behind; i++)
        for (uint64_t word = found[i]; word;) {
            int bit = leading_zeros(word), x = 64 * i + bit;
            word &= ~(UINT64_C(1) << (63 - bit));
            if (x + across < rule->width && !stays(rule, y, x) && !stays(rule, y + down, x + across)) {
                turn_dot(sheet, rule, y, x);
                turn_dot(sheet, rule, y + down, x + across);
            }
        }
}

/* What was found in the rows that cannot change yet: a row and the one below it change when no row is left to be looked
 * at that sees them. */
#define BEHIND 3
typedef struct { uint64_t *found[BEHIND + 1][2]; int held[BEHIND + 1][2]; } Late;

/* Look through the page once, for single dots or for pairs. */
static void look_through(Sheet page, const Rule *rule, int pairs, Late *late)
{
    for (int y = 0; y < page.height + BEHIND; y++) {
        int now = y % (BEHIND + 1), then = (y + 1) % (BEHIND + 1), ready = y - BEHIND;
        uint64_t **found = late->found[now];
        int *held = late->held[now], worth = y < page.height && !is_plain(page, y, rule->white);
        held[0] = worth && (pairs ? flat_pairs : singles)(page, y, rule->white, found[0]);
        held[1] = worth && pairs && steep_pairs(page, y, rule->white, found[1]);
        if (ready >= 0 && late->held[then][0])
            settle(page, rule, late->found[then][0], ready, pairs, 0);
        if (ready >= 0 && late->held[then][1])
            settle(page, rule, late->found[then][1], ready, 0, 1);
    }
}

static int even_rows(uint8_t *rows, const uint8_t *grey, int sure, int hint, int width, int height)
{
    int bytes = (width + 7) / 8, words = (width + 63) / 64, done = 0;
    Sheet page = {NULL, 0, 0, 0, 0, 0};
    uint64_t *room = malloc((size_t)(BEHIND + 1) * 2 * (size_t)words * sizeof(uint64_t));
    if (room && new_sheet(&page, width, height)) {
        Late late = {{{NULL}}, {{0}}};
        for (int n = 0; n < 2 * (BEHIND + 1); n++)
            late.found[n / 2][n % 2] = room + (size_t)n * (size_t)words;
        take(&page, rows, bytes, room);
        for (int white = 0; white < 2; white++) {
            const Rule rule = {grey, width, white ? hint : sure, white};
            look_through(page, &rule, 0, &late);
            look_through(page, &rule, 1, &late);
        }
        give(page, rows, bytes);
        done = 1;
    }
    free(room);
    free(page.memory);
    return done;
}

PyObject *py_straight(PyObject *self, PyObject *args)
{
    Py_buffer rows, grey;
    PyObject *result = NULL;
    int width, height, sure, hint, done;
    if (!PyArg_ParseTuple(args, "y*y*iiii", &rows, &grey, &sure, &hint, &width, &height))
        return NULL;
    if (fits(width, height)) {
        Py_ssize_t bytes = (width + 7) / 8, size = bytes * height;
        if (rows.len != size || grey.len != (Py_ssize_t)width * height) {
            PyErr_SetString(PyExc_ValueError, "as many bytes as the rows and the greys have are needed");
        } else if ((result = PyBytes_FromStringAndSize(rows.buf, size)) != NULL) {
            uint8_t *out = (uint8_t *)PyBytes_AsString(result);
            Py_BEGIN_ALLOW_THREADS
            done = even_rows(out, grey.buf, sure, hint, width, height);
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
