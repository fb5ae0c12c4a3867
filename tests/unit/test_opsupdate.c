/* The operations that change weights, against the reference, and what moments of fewer bits may lose. */
#include "tests/unit/support/check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "num/kernels.h"
#include "tests/unit/support/backends.h"

static void test_update(void **state)
{
	enum { N = 40003 };
	const struct ops *ref = ops_find("reference"), *ops;
	struct update o = {.lr = 1e-2f, .beta1 = 0.9f, .beta2 = 0.99f, .eps = 1e-8f, .decay = 0.1f,
		.correct1 = 1 - 0.9f * 0.9f, .correct2 = 1 - 0.99f * 0.99f, .scale = 0.5f};
	float *g = check_random(1, N, 1), *w0 = check_random(2, N, 1), *m0 = check_random(3, N, 0.1),
	      *v0 = check_zeros(N), *w[2], *m[2], *v[2];
	size_t bytes = sizeof *g * N;

	(void)state;
	for (int i = 0; i < N; i++)
		v0[i] = 0.01f * (float)(i % 7);
	for (int i = 0; i < 2; i++)
		w[i] = check_zeros(N), m[i] = check_zeros(N), v[i] = check_zeros(N);
	for (o.kind = UPDATE_ADAMW; o.kind <= UPDATE_LION; o.kind++) {
		struct moment mean = {.data = m[0]}, square = {.data = v[0], .squares = true};

		memcpy(w[0], w0, bytes), memcpy(m[0], m0, bytes), memcpy(v[0], v0, bytes);
		ref->update(ref, w[0], &mean, &square, g, N, &o);
		EACH_BACKEND(ops)
		{
			mean.data = m[1], square.data = v[1];
			memcpy(w[1], w0, bytes), memcpy(m[1], m0, bytes), memcpy(v[1], v0, bytes);
			ops->update(ops, w[1], &mean, &square, g, N, &o);
			check_close("update w", w[1], w[0], N, 1e-6);
			check_close("update m", m[1], m[0], N, 1e-6);
			check_close("update v", v[1], v[0], N, 1e-6);
			assert_true(fabs(ops->sum_squares(ops, g, N) / ref->sum_squares(ref, g, N) - 1) < 1e-6);
		}
	}
	for (int i = 0; i < 2; i++)
		free(w[i]), free(m[i]), free(v[i]);
	free(g), free(w0), free(m0), free(v0);
}

/* Numbers over many orders of magnitude, whole blocks of zeros and a part of a block among them. */
static void fill_moments(float *x, int n, bool squares)
{
	float *r = check_random(4, n, 1);

	for (int i = 0; i < n; i++) {
		x[i] = r[i] * ldexpf(1, -(i % 41));
		if (i / MOMENT_BLOCK == 2 || i % 17 == 0)
			x[i] = 0;
		if (squares)
			x[i] *= x[i];
	}
	free(r);
}

/* Each number by its nearest two that a byte or a BF16 has: off by at most one step, and right in the mean. */
static void test_moments(void **state)
{
	enum { N = 5 * MOMENT_BLOCK + 77, TIMES = 4000 };
	const struct ops *ops;
	float x[N], y[N], scale[N / MOMENT_BLOCK + 1];
	double sum[N];
	uint16_t half[2][N];
	uint8_t byte[2][N];

	(void)state;
	for (int how = 0; how < 4; how++) {
		struct moment m = {.type = how < 2 ? MOMENT_BF16 : MOMENT_INT8, .squares = how % 2, .scale = scale};

		fill_moments(x, N, m.squares);
		EACH_BACKEND(ops)
		{
			const struct kernels *k = ops->kernels;

			memset(sum, 0, sizeof sum);
			for (int t = 0; t < TIMES; t++) {
				for (int which = 0; which < 2; which++) { /* the reference, this one */
					m.data = m.type == MOMENT_BF16 ? (void *)half[which] : (void *)byte[which];
					(which ? k : &kernels_reference)->moment_store(&m, x, 0, N, (uint32_t)t);
				}
				assert_true(m.type == MOMENT_BF16 ? !memcmp(half[0], half[1], sizeof *half)
								  : !memcmp(byte[0], byte[1], sizeof *byte));
				k->moment_load(y, &m, 0, N);
				for (int i = 0; i < N; i++)
					sum[i] += (double)y[i] / TIMES;
			}
			for (int i = 0; i < N; i++) {
				double one = m.type == MOMENT_BF16 ? fabsf(x[i]) / 128 : fabsf(x[i]) / 8, low = 0;

				if (m.type == MOMENT_INT8)
					low = (double)scale[i / MOMENT_BLOCK] * ldexp(1.125, m.squares ? -31 : -15);
				assert_true(fabs((double)y[i] - (double)x[i]) <= fmax(one, low) * 1.001);
				assert_true(!m.squares || (y[i] > 0) == (x[i] > 0));
				if (m.squares && fabs((double)x[i]) < low)
					continue; /* nothing becomes 0 */
				assert_true(fabs(sum[i] - (double)x[i]) <= fmax(one, low) * 3.5 / sqrt(TIMES));
			}
		}
	}
}

static void test_update_of_moments(void **state)
{
	enum { N = 5003 };
	const struct ops *ops;
	float *g = check_random(1, N, 1), *w[2] = {check_zeros(N), check_zeros(N)}, *f[2] = {check_zeros(N), check_zeros(N)};
	struct update o = {.lr = 1e-3f, .beta1 = 0.9f, .beta2 = 0.99f, .eps = 1e-8f, .scale = 1};
	uint8_t byte[2][N];
	float scale[2][N / MOMENT_BLOCK + 1];

	(void)state;
	EACH_BACKEND(ops)
	{
		struct moment exact[2] = {{.data = f[0]}, {.data = f[1], .squares = true}};
		struct moment few[2] = {{MOMENT_INT8, false, byte[0], scale[0]}, {MOMENT_INT8, true, byte[1], scale[1]}};
		double off = 0;

		for (int i = 0; i < 2; i++)
			memset(w[i], 0, N * sizeof **w), memset(f[i], 0, N * sizeof **f);
		memset(byte, 0, sizeof byte), memset(scale, 0, sizeof scale);
		for (int step = 1; step <= 200; step++) {
			o.correct1 = 1 - powf(0.9f, (float)step);
			o.correct2 = 1 - powf(0.99f, (float)step);
			o.noise = (uint32_t)step;
			ops->update(ops, w[0], &exact[0], &exact[1], g, N, &o);
			ops->update(ops, w[1], &few[0], &few[1], g, N, &o);
		}
		for (int i = 0; i < N; i++)
			off += fabs((double)(w[1][i] - w[0][i])) / N;
		assert_true(off < 0.2 * 0.05); /* of 200 steps of 1e-3 */
	}
	for (int i = 0; i < 2; i++)
		free(w[i]), free(f[i]);
	free(g);
}

/* Against the formula of its paper, in double. */
static void test_adafactor(void **state)
{
	const struct ops *ops = ops_find("cpu");
	enum { ROWS = 37, COLUMNS = 70 };
	struct adafactor o = {.lr = 0.01f, .decay = 0.1f, .scale = 0.5f, .keep = 0.7f};

	(void)state;
	for (int columns = 1; columns <= COLUMNS; columns += COLUMNS - 1) {
		int n = ROWS * columns;
		float *g = check_random(1, n, 1), *w = check_random(2, n, 1), row[ROWS], col[COLUMNS], *want = check_zeros(n);
		double r[ROWS], c[COLUMNS], level = 0, size = 0, scratch[ROWS];

		for (int i = 0; i < ROWS; i++)
			r[i] = row[i] = 0.1f + 0.01f * (float)i;
		for (int j = 0; j < columns; j++)
			c[j] = col[j] = 0.2f + 0.02f * (float)j;
		for (int i = 0; i < ROWS; i++) {
			double sum = 0;

			for (int j = 0; j < columns; j++)
				sum += 0.25 * (double)g[i * columns + j] * (double)g[i * columns + j];
			r[i] = 0.7 * r[i] + 0.3 * sum / columns;
			level += r[i] / ROWS;
		}
		for (int j = 0; j < columns; j++) {
			double sum = 0;

			for (int i = 0; i < ROWS; i++)
				sum += 0.25 * (double)g[i * columns + j] * (double)g[i * columns + j];
			c[j] = columns > 1 ? 0.7 * c[j] + 0.3 * sum / ROWS : level;
		}
		for (int i = 0; i < n; i++) {
			double u = 0.5 * (double)g[i] / sqrt(r[i / columns] * c[i % columns] / level);

			size += u * u / n;
			want[i] = (float)u;
		}
		for (int i = 0; i < n; i++)
			want[i] = w[i] * 0.999f - 0.01f * want[i] / (float)fmax(1, sqrt(size));
		ops->adafactor(ops, w, row, col, g, ROWS, columns, &o, scratch);
		check_close("adafactor", w, want, n, 1e-5);
		for (int i = 0; i < ROWS; i++)
			assert_true(fabs(row[i] / r[i] - 1) < 1e-5);
		for (int j = 0; columns > 1 && j < columns; j++)
			assert_true(fabs(col[j] / c[j] - 1) < 1e-5);
		free(g), free(w), free(want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_update),
		cmocka_unit_test(test_moments),
		cmocka_unit_test(test_update_of_moments),
		cmocka_unit_test(test_adafactor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
