#include "eval/logistic.h"

#include <math.h>
#include <string.h>

#define ITERATIONS 100
#define LARGEST_STEP 4.0
#define PRECISION 1e-12

double logistic_sigmoid(double x)
{
	return x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x));
}

double logistic_predict(const struct logistic_row *r, int k, const double *w)
{
	double z = 0;

	for (int i = 0; i < k; i++)
		z += w[i] * r->x[i];
	return logistic_sigmoid(z);
}

/* Inverts the positive definite k by k matrix in place (Gauss and Jordan; its pivots are positive). */
static void invert(double (*m)[LOGISTIC_MAX], int k)
{
	double pivot, factor;

	for (int i = 0; i < k; i++) {
		pivot = 1 / m[i][i];
		m[i][i] = 1;
		for (int j = 0; j < k; j++)
			m[i][j] *= pivot;
		for (int r = 0; r < k; r++) {
			if (r == i)
				continue;
			factor = m[r][i];
			m[r][i] = 0;
			for (int j = 0; j < k; j++)
				m[r][j] -= factor * m[i][j];
		}
	}
}

/* The inverse of the second derivative at w, and minus the first. */
static void derive(const struct logistic_row *rows, size_t n, int k, double ridge, const double *w,
	double *down, double (*inverse)[LOGISTIC_MAX])
{
	double p, slope;

	for (int i = 0; i < k; i++) {
		down[i] = -ridge * w[i];
		for (int j = 0; j < k; j++)
			inverse[i][j] = i == j ? ridge : 0;
	}
	for (size_t r = 0; r < n; r++) {
		p = logistic_predict(&rows[r], k, w);
		slope = rows[r].weight * p * (1 - p);
		for (int i = 0; i < k; i++) {
			down[i] += rows[r].weight * (rows[r].y - p) * rows[r].x[i];
			for (int j = 0; j < k; j++)
				inverse[i][j] += slope * rows[r].x[i] * rows[r].x[j];
		}
	}
	invert(inverse, k);
}

void logistic_fit(const struct logistic_row *rows, size_t n, int k, double ridge, double *w,
	double (*bread)[LOGISTIC_MAX])
{
	double down[LOGISTIC_MAX], inverse[LOGISTIC_MAX][LOGISTIC_MAX], step[LOGISTIC_MAX],
		largest = 1;

	memset(w, 0, (size_t)k * sizeof *w);
	for (int t = 0; t < ITERATIONS && largest > PRECISION; t++) {
		derive(rows, n, k, ridge, w, down, inverse);
		largest = 0;
		for (int i = 0; i < k; i++) {
			step[i] = 0;
			for (int j = 0; j < k; j++)
				step[i] += inverse[i][j] * down[j];
			largest = fmax(largest, fabs(step[i]));
		}
		for (int i = 0; i < k; i++)
			w[i] += step[i] * fmin(1, LARGEST_STEP / largest);
	}
	if (bread)
		derive(rows, n, k, ridge, w, down, bread);
}
