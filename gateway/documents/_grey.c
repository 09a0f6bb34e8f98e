/* Loops over the greys of a page: scaling as Pillow does it, the extremes of squares, and paper told from photographs.
 *
 * gateway/documents/greys.py calls these and has the same in Pillow for places without a compiler.
 */

#include "_dots.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Pillow's fixed point: 8 bits of a grey, 22 behind the point, and room for a sum. */
#define PRECISION 22
#define PI 3.14159265358979323846

/* What each of the places of a scaled line is made of: so many of the original's, from one on, with these weights. */
typedef struct { int taps, most; int *first; int *count; int32_t *weights; } Plan;

static double hamming(double x)
{
    x = fabs(x);
    if (x == 0.0)
        return 1.0;
    if (x >= 1.0)
        return 0.0;
    x *= PI;
    return sin(x) / x * (0.54f + 0.46f * cos(x));
}

static double bilinear(double x)
{
    x = fabs(x);
    return x < 1.0 ? 1.0 - x : 0.0;
}

static void forget(Plan *plan)
{
    free(plan->first);
    free(plan->count);
    free(plan->weights);
}

static int plan(Plan *plan, int from, int to, double (*filter)(double))
{
    double scale = (double)from / to, wide = scale < 1.0 ? 1.0 : scale;
    plan->taps = (int)ceil(wide) * 2 + 1;
    plan->first = malloc((size_t)to * sizeof(int));
    plan->count = malloc((size_t)to * sizeof(int));
    plan->weights = calloc((size_t)to * (size_t)plan->taps, sizeof(int32_t));
    double *exact = malloc((size_t)plan->taps * sizeof(double));
    int done = plan->first && plan->count && plan->weights && exact;
    for (int place = 0; done && place < to; place++) {
        double centre = (place + 0.5) * scale, sum = 0.0;
        int first = (int)(centre - wide + 0.5), last = (int)(centre + wide + 0.5);
        first = first < 0 ? 0 : first;
        last = last > from ? from : last;
        for (int i = 0; i < last - first; i++)
            sum += exact[i] = filter((i + first - centre + 0.5) * (1.0 / wide));
        for (int i = 0; i < last - first; i++)
            plan->weights[(size_t)place * (size_t)plan->taps + (size_t)i] =
                (int32_t)(0.5 + (sum != 0.0 ? exact[i] / sum : exact[i]) * (1 << PRECISION));
        plan->first[place] = first;
        plan->count[place] = last - first;
        plan->most = last - first > plan->most ? last - first : plan->most;
    }
    free(exact);
    return done;
}

static uint8_t rounded(int32_t sum)
{
    sum >>= PRECISION;
    return (uint8_t)(sum > 255 ? 255 : sum);
}

/* One line across. The original has taps places more than it is long. */
static void across(const Plan *plan, const uint8_t *line, uint8_t *out, int width)
{
    const int32_t *weights = plan->weights, half = 1 << (PRECISION - 1);
    const int *first = plan->first, taps = plan->taps;
    if (plan->most <= 3) { /* as from 300 dots to the inch; weights beyond the count are zero */
        for (int x = 0; x < width; x++, weights += taps) {
            const uint8_t *from = line + first[x];
            out[x] = rounded(half + from[0] * weights[0] + from[1] * weights[1] + from[2] * weights[2]);
        }
        return;
    }
    for (int x = 0; x < width; x++, weights += taps) {
        const uint8_t *from = line + first[x];
        int32_t sum = half;
        for (int i = 0; i < plan->count[x]; i++)
            sum += from[i] * weights[i];
        out[x] = rounded(sum);
    }
}

/* One line down, of as many lines as it is made of. */
WIDE static void down(uint8_t *const *lines, const int32_t *weights, int count, int width, int32_t *sums, uint8_t *out)
{
    for (int x = 0; x < width; x++)
        sums[x] = 1 << (PRECISION - 1);
    for (int i = 0; i < count; i++) {
        const uint8_t *line = lines[i];
        int32_t weight = weights[i];
        for (int x = 0; x < width; x++)
            sums[x] += line[x] * weight;
    }
    for (int x = 0; x < width; x++) {
        int32_t sum = sums[x] >> PRECISION;
        out[x] = (uint8_t)(sum > 255 ? 255 : sum);
    }
}

static int scale(const uint8_t *grey, int width, int height, uint8_t *out, int wide, int high, int smooth)
{
    double (*filter)(double) = smooth ? bilinear : hamming;
    Plan x = {0}, y = {0};
    int done = plan(&x, width, wide, filter) && plan(&y, height, high, filter);
    size_t ring = (size_t)y.taps + 1;
    uint8_t *held = done ? malloc(ring * (size_t)wide) : NULL;
    uint8_t *line = done ? calloc((size_t)width + (size_t)x.taps, 1) : NULL;
    int32_t *sums = malloc((size_t)wide * sizeof(int32_t));
    uint8_t **lines = done ? malloc(ring * sizeof(uint8_t *)) : NULL;
    done = done && held && line && sums && lines;
    for (int row = 0, next = 0; done && row < high; row++, out += wide) {
        for (; next < y.first[row] + y.count[row]; next++) {
            uint8_t *place = held + (size_t)next % ring * (size_t)wide;
            if (width == wide) {
                memcpy(place, grey + (size_t)next * (size_t)width, (size_t)width);
            } else {
                memcpy(line, grey + (size_t)next * (size_t)width, (size_t)width);
                across(&x, line, place, wide);
            }
        }
        for (int i = 0; i < y.count[row]; i++)
            lines[i] = held + (size_t)(y.first[row] + i) % ring * (size_t)wide;
        if (height == high)
            memcpy(out, held + (size_t)row % ring * (size_t)wide, (size_t)wide);
        else
            down(lines, y.weights + (size_t)row * (size_t)y.taps, y.count[row], wide, sums, out);
    }
    forget(&x);
    forget(&y);
    free(held);
    free(line);
    free(sums);
    free(lines);
    return done;
}

PyObject *py_scale(PyObject *self, PyObject *args)
{
    Py_buffer grey;
    PyObject *result = NULL;
    int width, height, wide, high, smooth, done;
    if (!PyArg_ParseTuple(args, "y*iiiip", &grey, &width, &height, &wide, &high, &smooth))
        return NULL;
    if (fits(width, height) && fits(wide, high)) {
        if (grey.len != (Py_ssize_t)width * height) {
            PyErr_SetString(PyExc_ValueError, "as many greys as dots are needed");
        } else if ((result = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)wide * high)) != NULL) {
            uint8_t *out = (uint8_t *)PyBytes_AsString(result);
            Py_BEGIN_ALLOW_THREADS
            done = scale(grey.buf, width, height, out, wide, high, smooth);
            Py_END_ALLOW_THREADS
            if (!done) {
                Py_DECREF(result);
                result = PyErr_NoMemory();
            }
        }
    }
    PyBuffer_Release(&grey);
    return result;
}

/* Of each four bytes the least and the most, in wide steps. */
WIDE static void of_four(const uint8_t *low, const uint8_t *high, int count, uint8_t *least, uint8_t *most)
{
    for (int i = 0; i < count; i++, low += 4, high += 4) {
        uint8_t down = low[0] < low[1] ? low[0] : low[1], down2 = low[2] < low[3] ? low[2] : low[3];
        uint8_t up = high[0] > high[1] ? high[0] : high[1], up2 = high[2] > high[3] ? high[2] : high[3];
        least[i] = down < down2 ? down : down2;
        most[i] = up > up2 ? up : up2;
    }
}

/* Extremes of one row of squares; out is as wide as there are squares. */
WIDE static void square_row(const uint8_t *grey, int width, int rows, int side, uint8_t *least, uint8_t *most,
                            uint8_t *low, uint8_t *high)
{
    memcpy(low, grey, (size_t)width);
    memcpy(high, grey, (size_t)width);
    for (int y = 1; y < rows; y++) {
        const uint8_t *row = grey + (size_t)y * (size_t)width;
        for (int x = 0; x < width; x++) {
            low[x] = row[x] < low[x] ? row[x] : low[x];
            high[x] = row[x] > high[x] ? row[x] : high[x];
        }
    }
    int x = side == 4 ? width & ~3 : 0;
    of_four(low, high, x / 4, least, most);
    least += x / 4;
    most += x / 4;
    for (; x < width; x += side) {
        uint8_t down = low[x], up = high[x];
        for (int i = x + 1; i < x + side && i < width; i++) {
            down = low[i] < down ? low[i] : down;
            up = high[i] > up ? high[i] : up;
        }
        *least++ = down;
        *most++ = up;
    }
}

PyObject *py_extremes(PyObject *self, PyObject *args)
{
    Py_buffer grey;
    PyObject *least = NULL, *most = NULL, *result = NULL;
    int width, height, side;
    if (!PyArg_ParseTuple(args, "y*iii", &grey, &width, &height, &side))
        return NULL;
    uint8_t *rows = NULL;
    if (!fits(width, height))
        goto done;
    if (grey.len != (Py_ssize_t)width * height || side < 1 || side > 64) {
        PyErr_SetString(PyExc_ValueError, "as many greys as dots are needed");
        goto done;
    }
    int squares = (width + side - 1) / side;
    Py_ssize_t size = (Py_ssize_t)squares * ((height + side - 1) / side);
    least = PyBytes_FromStringAndSize(NULL, size);
    most = PyBytes_FromStringAndSize(NULL, size);
    rows = malloc(2 * (size_t)width);
    if (!least || !most || !rows) {
        PyErr_NoMemory();
        goto done;
    }
    uint8_t *low = (uint8_t *)PyBytes_AsString(least), *high = (uint8_t *)PyBytes_AsString(most);
    Py_BEGIN_ALLOW_THREADS
    for (int y = 0; y < height; y += side, low += squares, high += squares)
        square_row((const uint8_t *)grey.buf + (size_t)y * (size_t)width, width, height - y < side ? height - y : side,
                   side, low, high, rows, rows + width);
    Py_END_ALLOW_THREADS
    result = PyTuple_Pack(2, least, most);
done:
    free(rows);
    Py_XDECREF(least);
    Py_XDECREF(most);
    PyBuffer_Release(&grey);
    return result;
}
