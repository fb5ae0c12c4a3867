/*
 * Products of floats that are laid out for it: of the right operand as many columns lie together as registers hold of a
 * row of c, so that they are read one after the other; the left one's rows lie as they are.
 */
#include "num/simd/product.h"
#include "num/simd/simd.h"
#include "num/simd/transpose.h"

#define WIDE (NV * VL)
#define DEEP 1024 /* at most, so that WIDE columns stay in the second cache while rows pass by */

static void lay_out(void *to, int64_t ldt, const float *x, int64_t ldx, int64_t n, int64_t k, bool rows, bool right)
{
	float *y = to;

	if (!right) {
		turn(y, ldt, x, ldx, k, n);
		return;
	}
	for (int64_t i = 0; i < n; i += WIDE) {
		int64_t wide = n - i < WIDE ? n - i : WIDE;

		if (rows)
			turn(y + i * ldt, WIDE, x + i * ldx, ldx, wide, k);
		for (int64_t l = 0; l < k && !rows; l++)
			memcpy(y + i * ldt + l * WIDE, x + l * ldx + i, sizeof *x * (size_t)wide);
	}
}

/* c[MR, WIDE] = a b over k, or + c; meanwhile ask floats of next are asked for with each number of the sums. */
__attribute__((always_inline)) static inline void block(int64_t k, const float *a, int64_t lda, const float *b, float *c,
	int64_t ldc, bool add, const float *next, int64_t ask)
{
	vf acc[MR][NV];

	for (int i = 0; i < MR; i++)
		for (int j = 0; j < NV; j++)
			acc[i][j] = add ? vec_load(c + i * ldc + j * VL) : (vf){0};
	for (int64_t l = 0; l < k; l++) {
		vf row[NV];

		__builtin_prefetch(next + l * ask, 0, 2);
		for (int j = 0; j < NV; j++)
			row[j] = vec_load(b + l * WIDE + j * VL);
		for (int i = 0; i < MR; i++)
			for (int j = 0; j < NV; j++)
				acc[i][j] += a[i * lda + l] * row[j];
	}
	for (int i = 0; i < MR; i++)
		for (int j = 0; j < NV; j++)
			vec_store(c + i * ldc + j * VL, acc[i][j]);
}

/*
 * c[m, n] = a b over k, or + c, n <= WIDE columns. Rows ask for the columns that come next in memory, wanted or not: without
 * that, the first of them wait for each line.
 */
static void columns(int64_t m, int64_t n, int64_t k, const float *a, int64_t lda, const float *b, float *c, int64_t ldc,
	bool add, int64_t ldb)
{
	int64_t i = 0, ask = (WIDE * MR + m - 1) / m;
	const float *next = b + WIDE * ldb;

	for (; n == WIDE && i + MR <= m; i += MR, next += ask * k) {
		if (add)
			block(k, a + i * lda, lda, b, c + i * ldc, ldc, true, next, ask);
		else
			block(k, a + i * lda, lda, b, c + i * ldc, ldc, false, next, ask);
	}
	if (i < m)
		product(m - i, n, k, a + i * lda, lda, 1, b, WIDE, c + i * ldc, ldc, add);
}

static void multiply(int64_t m, int64_t n, int64_t k, const void *a, int64_t lda, const void *b, int64_t ldb, float *c,
	int64_t ldc, bool add)
{
	for (int64_t l = 0; l < k; l += DEEP)
		for (int64_t j = 0; j < n; j += WIDE)
			columns(m, n - j < WIDE ? n - j : WIDE, k - l < DEEP ? k - l : DEEP, (const float *)a + l, lda,
				(const float *)b + j * ldb + l * WIDE, c + j, ldc, add || l > 0, ldb);
}

const struct multiplier VEC_NAME(multiplier) = {sizeof(float), MR, WIDE, 16, true, lay_out, multiply, false};
