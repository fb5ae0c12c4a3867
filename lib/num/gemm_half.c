/*
 * Products of BF16 tiles in the calling thread: by AMX, which multiplies two of them in 16 cycles, or by AVX512-BF16's
 * sums of pairs. (oneDNN 2.6's product takes packed operands of some shapes only, and is a plain loop for others; where
 * it packs them itself it is half as fast.)
 */
#include <string.h>

#include "num/kernels.h"

#if defined(__x86_64__)

#include <cpuid.h>
#include <immintrin.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DEPTH 20 /* tiles of a right operand that stay in the first cache while the left one's pass */

/* ---- what the processor has */

static bool has_amx;

/* Linux lets a process use the tiles' registers when it asks. */
static void ask_for_amx(void)
{
	enum { ARCH_REQ_XCOMP_PERM = 0x1023, XTILEDATA = 18, AMX_BF16 = 1 << 22, AMX_TILE = 1 << 24 };
	unsigned a, b, c, d;

	has_amx = __get_cpuid_count(7, 0, &a, &b, &c, &d) && d & AMX_BF16 && d & AMX_TILE &&
		  syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XTILEDATA) == 0;
}

bool gemm_half_has_amx(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, ask_for_amx);
	return has_amx;
}

bool gemm_half_has_pairs(void)
{
	return __builtin_cpu_supports("avx512bf16");
}

/* ---- blocks of c, 16 x 16 each: c = a b, or + c */

/* The next 16 lines of a and of b come after a_next and b_next numbers. */
struct blocks {
	const uint16_t *a, *b;
	int64_t a_next, b_next, depth; /* depth in tiles */
	float *c;
	int64_t ldc;
	bool add;
};

#define AMX __attribute__((target("amx-tile,amx-bf16"), noinline))

/* Eight tiles of 16 rows, 64 bytes each. */
AMX static void configure_tiles(void)
{
	static const struct {
		uint8_t palette, start_row, reserved[14];
		uint16_t bytes[16];
		uint8_t rows[16];
	} config = {1, 0, {0}, {64, 64, 64, 64, 64, 64, 64, 64}, {16, 16, 16, 16, 16, 16, 16, 16}};

	_tile_loadconfig(&config);
}

AMX static void release_tiles(void)
{
	_tile_release();
}

AMX static void two_by_two(const struct blocks *s)
{
	int64_t stride = s->ldc * (int64_t)sizeof *s->c;
	float *c = s->c, *down = c + HALF_LINES * s->ldc;
	const uint16_t *a = s->a, *b = s->b, *a2 = a + s->a_next, *b2 = b + s->b_next;

	/* Stores wait for each other, and for their lines, which are on their way meanwhile. */
	for (int64_t i = 0; i < 2 * HALF_LINES; i++) {
		__builtin_prefetch(c + i * s->ldc, 1);
		__builtin_prefetch(c + i * s->ldc + HALF_LINES, 1);
	}
	if (s->add) {
		_tile_loadd(0, c, stride);
		_tile_loadd(1, c + HALF_LINES, stride);
		_tile_loadd(2, down, stride);
		_tile_loadd(3, down + HALF_LINES, stride);
	} else {
		_tile_zero(0);
		_tile_zero(1);
		_tile_zero(2);
		_tile_zero(3);
	}
	for (int64_t k = 0; k < s->depth * HALF_TILE; k += HALF_TILE) {
		_tile_loadd(4, a + k, 64);
		_tile_loadd(6, b + k, 64);
		_tile_loadd(7, b2 + k, 64);
		_tile_loadd(5, a2 + k, 64);
		_tile_dpbf16ps(0, 4, 6);
		_tile_dpbf16ps(1, 4, 7);
		_tile_dpbf16ps(2, 5, 6);
		_tile_dpbf16ps(3, 5, 7);
	}
	_tile_stored(0, c, stride);
	_tile_stored(1, c + HALF_LINES, stride);
	_tile_stored(2, down, stride);
	_tile_stored(3, down + HALF_LINES, stride);
}

AMX static void one_by_one(const struct blocks *s)
{
	int64_t stride = s->ldc * (int64_t)sizeof *s->c;

	if (s->add)
		_tile_loadd(0, s->c, stride);
	else
		_tile_zero(0);
	for (int64_t k = 0; k < s->depth * HALF_TILE; k += HALF_TILE) {
		_tile_loadd(4, s->a + k, 64);
		_tile_loadd(6, s->b + k, 64);
		_tile_dpbf16ps(0, 4, 6);
	}
	_tile_stored(0, s->c, stride);
}

#define PAIRS __attribute__((target("avx512f,avx512bf16")))

/* Without AMX: some rows of a block, or of two that lie side by side, whose sums fit in registers. */
PAIRS __attribute__((always_inline)) static inline void sum_pairs(
	const struct blocks *s, int rows, int wide, const uint16_t *a, float *c, bool add)
{
	__m512 sum[HALF_LINES][2];

	for (int i = 0; i < rows; i++)
		for (int j = 0; j < wide; j++)
			sum[i][j] = add ? _mm512_loadu_ps(c + i * s->ldc + HALF_LINES * j) : _mm512_setzero_ps();
	for (int64_t k = 0; k < s->depth * HALF_TILE; k += HALF_TILE)
		for (int p = 0; p < 16; p++) {
			__m512i right[2];

			for (int j = 0; j < wide; j++)
				right[j] = _mm512_loadu_si512(s->b + j * s->b_next + k + 32 * p);
			for (int i = 0; i < rows; i++) {
				int32_t left;

				memcpy(&left, a + k + 32 * i + 2 * p, sizeof left);
				for (int j = 0; j < wide; j++)
					sum[i][j] = _mm512_dpbf16_ps(
						sum[i][j], (__m512bh)_mm512_set1_epi32(left), (__m512bh)right[j]);
			}
		}
	for (int i = 0; i < rows; i++)
		for (int j = 0; j < wide; j++)
			_mm512_storeu_ps(c + i * s->ldc + HALF_LINES * j, sum[i][j]);
}

PAIRS static void one_by_pairs(const struct blocks *s)
{
	if (s->add)
		sum_pairs(s, HALF_LINES, 1, s->a, s->c, true);
	else
		sum_pairs(s, HALF_LINES, 1, s->a, s->c, false);
}

PAIRS static void four_by_pairs(const struct blocks *s)
{
	enum { ROWS = HALF_LINES / 2 };

	for (int i = 0; i < 4; i++) {
		const uint16_t *a = s->a + i / 2 * s->a_next + i % 2 * ROWS * HALF_DEPTH;
		float *c = s->c + i * ROWS * s->ldc;

		if (s->add)
			sum_pairs(s, ROWS, 2, a, c, true);
		else
			sum_pairs(s, ROWS, 2, a, c, false);
	}
}

/* ---- all blocks */

typedef void multiply_blocks(const struct blocks *s);

/* high and wide blocks, at most two of each. */
static void square(const struct blocks *s, int64_t high, int64_t wide, multiply_blocks *one, multiply_blocks *four)
{
	if (high == 2 && wide == 2) {
		four(s);
		return;
	}
	for (int64_t i = 0; i < high; i++)
		for (int64_t j = 0; j < wide; j++) {
			struct blocks each = *s;

			each.a += i * s->a_next;
			each.b += j * s->b_next;
			each.c += HALF_LINES * (i * s->ldc + j);
			one(&each);
		}
}

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/*
 * high rows and wide columns, at most SQUARE of each; where a block is not full, by way of a whole square, of which what is
 * beyond them may be anything: none of it is copied back, or added to what is.
 */
#define SQUARE (2 * HALF_LINES)

/* n <= SQUARE floats of a row. */
static inline __attribute__((always_inline, target("avx512f"))) void copy_row(float *to, const float *x, int64_t n)
{
	__mmask16 first = (__mmask16)(n < 16 ? (1u << n) - 1 : 0xffff), rest = (__mmask16)(n > 16 ? (1u << (n - 16)) - 1 : 0);

	_mm512_mask_storeu_ps(to, first, _mm512_maskz_loadu_ps(first, x));
	_mm512_mask_storeu_ps(to + 16, rest, _mm512_maskz_loadu_ps(rest, x + 16));
}

__attribute__((target("avx512f"))) static void edge(
	const struct blocks *s, int64_t high, int64_t wide, multiply_blocks *one, multiply_blocks *four)
{
	int64_t down = (high + HALF_LINES - 1) / HALF_LINES, across = (wide + HALF_LINES - 1) / HALF_LINES;
	float whole[SQUARE * SQUARE] __attribute__((aligned(64)));
	struct blocks inside = {s->a, s->b, s->a_next, s->b_next, s->depth, whole, SQUARE, s->add};

	for (int64_t i = 0; s->add && i < high; i++)
		copy_row(whole + i * SQUARE, s->c + i * s->ldc, wide);
	square(&inside, down, across, one, four);
	for (int64_t i = 0; i < high; i++)
		copy_row(s->c + i * s->ldc, whole + i * SQUARE, wide);
}

static void gemm(int64_t m, int64_t n, int64_t k, const uint16_t *a, int64_t lda, const uint16_t *b, int64_t ldb, float *c,
	int64_t ldc, bool add, multiply_blocks *one, multiply_blocks *four)
{
	int64_t tiles = (k + HALF_DEPTH - 1) / HALF_DEPTH;

	for (int64_t from = 0; from < tiles; from += DEPTH) {
		int64_t to = least(from + DEPTH, tiles);

		for (int64_t j = 0; j < n; j += SQUARE)
			for (int64_t i = 0; i < m; i += SQUARE) {
				int64_t high = least(SQUARE, m - i), wide = least(SQUARE, n - j);
				struct blocks s = {a + i * lda + from * HALF_TILE, b + j * ldb + from * HALF_TILE, HALF_LINES * lda,
					HALF_LINES * ldb, to - from, c + i * ldc + j, ldc, add || from > 0};

				if (high % HALF_LINES || wide % HALF_LINES)
					edge(&s, high, wide, one, four);
				else
					square(&s, high / HALF_LINES, wide / HALF_LINES, one, four);
			}
	}
}

void gemm_half_amx(int64_t m, int64_t n, int64_t k, const void *a, int64_t lda, const void *b, int64_t ldb, float *c,
	int64_t ldc, bool add)
{
	configure_tiles();
	gemm(m, n, k, a, lda, b, ldb, c, ldc, add, one_by_one, two_by_two);
	release_tiles();
}

void gemm_half_pairs(int64_t m, int64_t n, int64_t k, const void *a, int64_t lda, const void *b, int64_t ldb, float *c,
	int64_t ldc, bool add)
{
	gemm(m, n, k, a, lda, b, ldb, c, ldc, add, one_by_pairs, four_by_pairs);
}

#endif
