#include "num/adafactor.h"

#include <math.h>

#define EPS 1e-30f /* added to g^2 */
#define COLUMNS 64

/* row and col as running means of g^2 over the other dimension. */
static void remember(float *row, float *col, const float *g, int64_t rows, int64_t columns, const struct adafactor *o)
{
	float square = o->scale * o->scale;

#pragma omp parallel for
	for (int64_t r = 0; r < rows; r++) {
		double sum = 0;

#pragma omp simd reduction(+ : sum)
		for (int64_t c = 0; c < columns; c++)
			sum += (double)(square * g[r * columns + c] * g[r * columns + c] + EPS);
		row[r] = o->keep * row[r] + (1 - o->keep) * (float)(sum / (double)columns);
	}
	if (columns == 1)
		return;
#pragma omp parallel for
	for (int64_t from = 0; from < columns; from += COLUMNS) {
		int64_t n = columns - from < COLUMNS ? columns - from : COLUMNS;
		double sum[COLUMNS] = {0};

		for (int64_t r = 0; r < rows; r++)
			for (int64_t c = 0; c < n; c++) {
				float x = g[r * columns + from + c];

				sum[c] += (double)(square * x * x + EPS);
			}
		for (int64_t c = 0; c < n; c++)
			col[from + c] = o->keep * col[from + c] + (1 - o->keep) * (float)(sum[c] / (double)rows);
	}
}

static double mean(const float *x, int64_t n)
{
	double sum = 0;

	for (int64_t i = 0; i < n; i++)
		sum += (double)x[i];
	return sum / (double)n;
}

/* rms(u), rows in order; sums[rows]. */
static double rms(const float *row, const float *col, const float *g, int64_t rows, int64_t columns, double level,
	double scale, double *sums)
{
	double sum = 0;

#pragma omp parallel for
	for (int64_t r = 0; r < rows; r++) {
		const float *x = g + r * columns;
		double sum_r = 0;

#pragma omp simd reduction(+ : sum_r)
		for (int64_t c = 0; c < columns; c++)
			sum_r += (double)x[c] * (double)x[c] / (columns > 1 ? (double)col[c] : 1);
		sums[r] = sum_r * scale * scale * level / (double)row[r];
	}
	for (int64_t r = 0; r < rows; r++)
		sum += sums[r];
	return sqrt(sum / (double)(rows * columns));
}

void adafactor(const struct ops *ops, float *w, float *row, float *col, const float *g, int64_t rows,
	int64_t columns, const struct adafactor *o, double *scratch)
{
	double level, size;
	float step, keep = 1 - o->lr * o->decay;

	(void)ops;
	remember(row, col, g, rows, columns, o);
	level = columns > 1 ? mean(row, rows) : 1;
	size = rms(row, col, g, rows, columns, level, (double)o->scale, scratch);
	step = (float)((double)(o->lr * o->scale) * sqrt(level) / fmax(1, size));
#pragma omp parallel for
	for (int64_t r = 0; r < rows; r++) {
		float each = step / sqrtf(row[r]);

		for (int64_t c = 0; c < columns; c++) {
			int64_t i = r * columns + c;

			w[i] = w[i] * keep - each * g[i] / (columns > 1 ? sqrtf(col[c]) : 1);
		}
	}
}
