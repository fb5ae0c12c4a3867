/*
 * Products of BF16 with float32 sums, few rows and all that a matrix is, bound by reading it: it is read as it lies,
 * [out, in], once for all rows. An element adds up in the same order whatever goes with it.
 *
 * AMX multiplies 16 outputs by up to 16 rows at a time, the matrix being its left side, since that needs no other
 * order. AVX512-BF16, where there is no AMX, makes dot products.
 */
#include "num/simd/sums.h"
#include "num/simd/simd.h"

#if VL == 16

#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SIDE HALF_ROWS	/* rows of a tile, and numbers of 4 bytes in one */
#define DEEP HALF_DEPTH /* BF16 numbers in a tile's row */

#define TILES __attribute__((target("amx-tile,amx-bf16")))
#define DOTS __attribute__((target("avx512bf16")))

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* ---- tiles */

/* Turns a square of 4-byte numbers, ld and ldto of them a row. */
static void turn(uint32_t *to, int64_t ldto, const uint32_t *from, int64_t ld)
{
	typedef uint32_t vu __attribute__((vector_size(64)));
	vu a[SIDE], b[SIDE];

	for (int i = 0; i < SIDE; i++)
		memcpy(&a[i], from + i * ld, sizeof *a);
	for (int i = 0; i < SIDE; i += 2) {
		b[i] = __builtin_shufflevector(
			a[i], a[i + 1], 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30);
		b[i + 1] = __builtin_shufflevector(
			a[i], a[i + 1], 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31);
	}
	for (int i = 0; i < SIDE; i += i % 4 == 1 ? 3 : 1) {
		a[i] = __builtin_shufflevector(
			b[i], b[i + 2], 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
		a[i + 2] = __builtin_shufflevector(
			b[i], b[i + 2], 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
	}
	for (int i = 0; i < SIDE; i += i % 8 == 3 ? 5 : 1) {
		b[i] = __builtin_shufflevector(
			a[i], a[i + 4], 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27);
		b[i + 4] = __builtin_shufflevector(
			a[i], a[i + 4], 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31);
	}
	for (int i = 0; i < SIDE / 2; i++) {
		a[i] = __builtin_shufflevector(b[i], b[i + 8], 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
		a[i + 8] = __builtin_shufflevector(
			b[i], b[i + 8], 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
	}
	for (int i = 0; i < SIDE; i++)
		memcpy(to + i * ldto, &a[i], sizeof *a);
}

/* Groups of rows, as many as there are in one, 16 otherwise. Of each, pairs of neighbours: [depth / 2][rows][2]. */
void VEC_NAME(half_pack_tiles)(uint16_t *to, const float *x, int64_t ldx, int64_t from, int64_t rows, int64_t k)
{
	int64_t depth = half_depth(k), group = least(SIDE, rows), n = least(SIDE, rows - from);
	uint32_t *pairs = (uint32_t *)(void *)(to + from * depth);

	for (int64_t l = 0; l < depth; l += DEEP) {
		uint16_t square[SIDE][DEEP] = {{0}};
		uint32_t turned[SIDE][SIDE];

		for (int64_t r = 0; r < n; r++)
			VEC_NAME(to_half)(square[r], x + (from + r) * ldx + l, least(DEEP, k - l));
		turn(turned[0], SIDE, (const uint32_t *)(const void *)square, SIDE);
		for (int64_t p = 0; p < SIDE; p++)
			memcpy(pairs + (l / 2 + p) * group, turned[p], sizeof **turned * (size_t)group);
	}
}

/* Tiles 0 to 3 are sums, outputs by rows; 4 and 5 the matrix; 6 and 7 rows. */
TILES static void configure(int64_t group)
{
	struct {
		uint8_t palette, start, reserved[14];
		uint16_t bytes[16];
		uint8_t rows[16];
	} c = {.palette = 1};

	for (int i = 0; i < 8; i++) {
		c.bytes[i] = (uint16_t)(i == 4 || i == 5 ? 2 * DEEP : 4 * group);
		c.rows[i] = SIDE;
	}
	_tile_loadconfig(&c);
}

/* y[rows, n] += sums, whose tile is [outputs][group]. */
static void add_sums(float *y, int64_t ldy, float *sum, int64_t group, int64_t rows, int64_t n)
{
	float turned[SIDE][SIDE];

	if (rows == 1 && group == 1) {
		for (int64_t i = 0; i < n; i++)
			y[i] += sum[i];
		return;
	}
	turn((uint32_t *)(void *)turned, SIDE, (const uint32_t *)(const void *)sum, group);
	for (int64_t r = 0; r < rows; r++)
		for (int64_t i = 0; i < n; i++)
			y[r * ldy + i] += turned[r][i];
}

/* Where a step's part of 16 rows of the matrix is; the edges are copied, with zeros. */
struct part {
	const uint16_t *at;
	int64_t ld;
};

static struct part part_of(const uint16_t *w, int64_t ldw, int64_t l, int64_t n, int64_t k, uint16_t *room)
{
	if (n >= SIDE && l + DEEP <= k)
		return (struct part){w + l, ldw};
	memset(room, 0, sizeof *room * SIDE * DEEP);
	for (int64_t i = 0; i < least(SIDE, n); i++)
		memcpy(room + i * DEEP, w + i * ldw + l, sizeof *room * (size_t)least(DEEP, k - l));
	__asm__ volatile("" ::: "memory"); /* _tile_loadd() does not say that it reads */
	return (struct part){room, DEEP};
}

/* Two tiles of outputs, of which n are, by two of rows; one where there is no more. The first asks for what comes next. */
TILES static void tiles(bool first, int64_t n, int64_t rows, int64_t group, int64_t k, const uint16_t *w, int64_t ldw,
	const uint16_t *x, int64_t ldx, float *y, int64_t ldy)
{
	bool below = n > SIDE, right = rows > SIDE;
	uint16_t room[2][SIDE * DEEP];
	float sum[4][SIDE * SIDE];

	_tile_zero(0);
	_tile_zero(1);
	_tile_zero(2);
	_tile_zero(3);
	for (int64_t l = 0; l < k; l += DEEP) {
		struct part p = part_of(w, ldw, l, n, k, room[0]);

		for (int64_t i = 0; first && i < 2 * SIDE; i++)
			__builtin_prefetch(w + (2 * SIDE + i) * ldw + l, 0, 2);
		_tile_loadd(4, p.at, 2 * p.ld);
		_tile_loadd(6, x + l * group, 4 * group);
		_tile_dpbf16ps(0, 4, 6);
		if (right) {
			_tile_loadd(7, x + ldx + l * group, 4 * group);
			_tile_dpbf16ps(1, 4, 7);
		}
		if (!below)
			continue;
		p = part_of(w + SIDE * ldw, ldw, l, n - SIDE, k, room[1]);
		_tile_loadd(5, p.at, 2 * p.ld);
		_tile_dpbf16ps(2, 5, 6);
		if (right)
			_tile_dpbf16ps(3, 5, 7);
	}
	_tile_stored(0, sum[0], 4 * group);
	_tile_stored(1, sum[1], 4 * group);
	_tile_stored(2, sum[2], 4 * group);
	_tile_stored(3, sum[3], 4 * group);
	for (int i = 0; i < 4; i++)
		if ((i < 2 || below) && (i % 2 == 0 || right))
			add_sums(y + i % 2 * SIDE * ldy + i / 2 * SIDE, ldy, sum[i], group,
				least(SIDE, rows - i % 2 * SIDE), least(SIDE, n - i / 2 * SIDE));
}

TILES void VEC_NAME(half_apart_tiles)(int64_t rows, int64_t n, int64_t at, int64_t k, const uint16_t *x, int64_t depth,
	const uint16_t *w, int64_t ldw, float *y, int64_t ldy)
{
	int64_t group = least(SIDE, rows);

	configure(group);
	for (int64_t j = 0; j < n; j += 2 * SIDE)
		for (int64_t i = 0; i < rows; i += 2 * SIDE)
			tiles(i == 0, least(2 * SIDE, n - j), least(2 * SIDE, rows - i), group, k, w + j * ldw, ldw,
				x + i * depth + at * group, SIDE * depth, y + i * ldy + j, ldy);
	_tile_release();
}

/* ---- dot products */

#define AR 6
#define BR 4

/* Rows one after the other. */
void VEC_NAME(half_pack_dots)(uint16_t *to, const float *x, int64_t ldx, int64_t from, int64_t rows, int64_t k)
{
	int64_t depth = half_depth(k);

	for (int64_t r = from; r < least(from + HALF_ROWS, rows); r++) {
		VEC_NAME(to_half)(to + r * depth, x + r * ldx, k);
		memset(to + r * depth + k, 0, sizeof *to * (size_t)(depth - k));
	}
}

__attribute__((always_inline)) DOTS static inline void dots(bool first, int ar, int br, int64_t k, const uint16_t *x,
	int64_t ldx, const uint16_t *w, int64_t ldw, float *y, int64_t ldy)
{
	__m512 acc[AR][BR] = {0};

	for (int64_t l = 0; l < k; l += DEEP) {
		__mmask32 mask = k - l < DEEP ? (1u << (k - l)) - 1 : ~0u;
		__m512i row[BR];

		for (int j = 0; j < br; j++) {
			row[j] = _mm512_maskz_loadu_epi16(mask, w + j * ldw + l);
			if (first)
				__builtin_prefetch(w + (br + j) * ldw + l);
		}
		for (int i = 0; i < ar; i++)
			for (int j = 0; j < br; j++)
				acc[i][j] = _mm512_dpbf16_ps(
					acc[i][j], (__m512bh)_mm512_loadu_si512(x + i * ldx + l), (__m512bh)row[j]);
	}
	for (int i = 0; i < ar; i++) {
		v4 sum = sums((vf)acc[i][0], (vf)acc[i][1], (vf)acc[i][2], (vf)acc[i][3]);

		for (int j = 0; j < br; j++)
			y[i * ldy + j] += sum[j];
	}
}

__attribute__((always_inline)) DOTS static inline void sweep(bool first, int ar, int64_t n, int64_t k,
	const uint16_t *x, int64_t ldx, const uint16_t *w, int64_t ldw, float *y, int64_t ldy)
{
	int64_t j = 0;

	for (; j + BR <= n; j += BR)
		dots(first, ar, BR, k, x, ldx, w + j * ldw, ldw, y + j, ldy);
	for (; j < n; j++)
		dots(first, ar, 1, k, x, ldx, w + j * ldw, ldw, y + j, ldy);
}

DOTS void VEC_NAME(half_apart_dots)(int64_t rows, int64_t n, int64_t at, int64_t k, const uint16_t *x, int64_t depth,
	const uint16_t *w, int64_t ldw, float *y, int64_t ldy)
{
	int64_t i = 0;

	for (x += at; i + AR <= rows; i += AR)
		sweep(i == 0, AR, n, k, x + i * depth, depth, w, ldw, y + i * ldy, ldy);
	for (; i < rows; i++)
		sweep(i == 0, 1, n, k, x + i * depth, depth, w, ldw, y + i * ldy, ldy);
}

/* ---- which of them */

static bool tiles_allowed;

/* The kernel gives a process tiles when it asks for them. */
static void ask(void)
{
#if defined(__linux__)
	enum { REQUEST = 0x1023, TILE_DATA = 18 }; /* ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA */

	tiles_allowed = __builtin_cpu_supports("amx-tile") && __builtin_cpu_supports("amx-bf16") &&
			syscall(SYS_arch_prctl, REQUEST, TILE_DATA) == 0;
#endif
}

bool VEC_NAME(half_has_tiles)(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, ask);
	return tiles_allowed;
}

void VEC_NAME(half_pack)(uint16_t *to, const float *x, int64_t ldx, int64_t from, int64_t rows, int64_t k)
{
	(VEC_NAME(half_has_tiles)() ? VEC_NAME(half_pack_tiles) : VEC_NAME(half_pack_dots))(to, x, ldx, from, rows, k);
}

void VEC_NAME(half_apart)(int64_t rows, int64_t n, int64_t at, int64_t k, const uint16_t *x, int64_t depth,
	const uint16_t *w, int64_t ldw, float *y, int64_t ldy)
{
	(VEC_NAME(half_has_tiles)() ? VEC_NAME(half_apart_tiles) : VEC_NAME(half_apart_dots))(
		rows, n, at, k, x, depth, w, ldw, y, ldy);
}

#endif
