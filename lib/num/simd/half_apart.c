/*
 * Products of BF16 with float32 sums, few rows and all that a matrix is, bound by reading it: it is read as it lies,
 * [out, in], once for all rows. An element adds up in the same order whatever goes with it.
 *
 * AMX multiplies 16 outputs by up to 16 rows at a time, the matrix being its left side, since that needs no other
 * order. AVX512-BF16, where there is no AMX, makes dot products.
 */
#include "num/simd/simd.h"
#include "num/simd/sums.h"
#include "num/simd/transpose.h"

#if VL == 16

#define SIDE HALF_LINES /* rows of a tile, and numbers of 4 bytes in one */
#define DEEP HALF_DEPTH /* BF16 numbers in a tile's row */

#define TILES __attribute__((target("amx-tile,amx-bf16")))
#define DOTS __attribute__((target("avx512bf16")))

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* ---- tiles */

/* Groups of rows, as many as there are in one, 16 otherwise. Of each, pairs of neighbours: [depth / 2][rows][2]. */
static void pack_tiles(uint16_t *to, const float *x, int64_t ldx, int64_t from, int64_t rows, int64_t k)
{
	int64_t group = least(SIDE, rows), n = least(SIDE, rows - from);

	to += from * half_depth(k);
	for (int64_t l = 0; l < k; l += DEEP) {
		uint16_t pairs[SIDE][DEEP];

		VEC_NAME(half_tiles)(pairs[0], DEEP, x + from * ldx + l, ldx, n, least(DEEP, k - l), true, true);
		for (int64_t p = 0; p < SIDE; p++, to += 2 * group)
			memcpy(to, pairs[p], 2 * sizeof *to * (size_t)group);
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
	__asm__ volatile("" : : "r"(&c) : "memory"); /* gcc's _tile_loadconfig() does not say that it reads all of it */
	_tile_loadconfig(&c);
}

/* y[rows, n] += sums, whose tile is [outputs][group]. */
static void add_sums(float *y, int64_t ldy, const float *sum, int64_t group, int64_t rows, int64_t n)
{
	__m512i turned[SIDE];

	for (int64_t i = 0; i < SIDE; i++)
		turned[i] = _mm512_loadu_si512(sum + i * group);
	transpose(turned);
	for (int64_t r = 0; r < rows; r++, y += ldy) {
		if (n == SIDE)
			vec_store(y, vec_load(y) + (vf)turned[r]);
		else
			vec_store_part(y, vec_load_part(y, n) + (vf)turned[r], n);
	}
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

TILES static void apart_tiles(int64_t rows, int64_t n, int64_t at, int64_t k, const uint16_t *x, int64_t depth,
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
static void pack_dots(uint16_t *to, const float *x, int64_t ldx, int64_t from, int64_t rows, int64_t k)
{
	int64_t depth = half_depth(k);

	for (int64_t r = from; r < least(from + HALF_LINES, rows); r++) {
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

DOTS static void apart_dots(int64_t rows, int64_t n, int64_t at, int64_t k, const uint16_t *x, int64_t depth,
	const uint16_t *w, int64_t ldw, float *y, int64_t ldy)
{
	int64_t i = 0;

	for (x += at; i + AR <= rows; i += AR)
		sweep(i == 0, AR, n, k, x + i * depth, depth, w, ldw, y + i * ldy, ldy);
	for (; i < rows; i++)
		sweep(i == 0, 1, n, k, x + i * depth, depth, w, ldw, y + i * ldy, ldy);
}

/* ---- either */

void VEC_NAME(half_pack)(bool amx, uint16_t *to, const float *x, int64_t ldx, int64_t from, int64_t rows, int64_t k)
{
	(amx ? pack_tiles : pack_dots)(to, x, ldx, from, rows, k);
}

void VEC_NAME(half_apart)(bool amx, int64_t rows, int64_t n, int64_t at, int64_t k, const uint16_t *x, int64_t depth,
	const uint16_t *w, int64_t ldw, float *y, int64_t ldy)
{
	(amx ? apart_tiles : apart_dots)(rows, n, at, k, x, depth, w, ldw, y, ldy);
}

#endif
