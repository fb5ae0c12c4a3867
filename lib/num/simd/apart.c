/*
 * Matrix products of few rows, bound by reading the matrix: each of its rows is read once for a group of x's, as it is
 * kept, and becomes floats in registers. An element of y adds up in the same order whatever goes with it.
 */
#include "base/dtype.h"
#include "num/simd/product.h"
#include "num/simd/simd.h"
#include "num/simd/sums.h"

/* Rows of a and of b that go together. */
#if VL == 16
#define AR 6
#else
#define AR 2
#endif
#define BR 4
#define WIDE 4 /* vectors of b that go together where it lies across the sum; they are in one block */
#define FAR 64 /* rows ahead that are asked for where few bytes of each are read */

/* Columns of a group of a's rows that stay in the first cache while b passes by; panels of num/apart.c are as deep. */
#define DEPTH 1024

/* ---- numbers of a stored row as floats */

/* Those of b's rows, or of some columns of them; blocks begin at the first. */
struct stored {
	const char *data;
	const float *scale;
	int64_t ld, lds; /* bytes, and scales, from one row to the next */
};

__attribute__((always_inline)) static inline int64_t bytes(enum mat_type type, int64_t n)
{
	return type == MAT_F32 ? 4 * n : type == MAT_INT8 ? n : type == MAT_NF4 ? n / 2 : 2 * n;
}

static inline vf from_f16(const uint16_t *half)
{
#if VL == 16
	return (vf)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)half));
#else
	float x[VL];

	dtype_to_f32(x, half, F16, VL);
	return vec_load(x);
#endif
}

/* GCC makes wider integers one by one where it is not told how. */
static inline vf from_bf16(const uint16_t *half)
{
	typedef uint32_t vu __attribute__((vector_size(4 * VL)));
#if VL == 16
	vu bits = (vu)_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)half));
#elif VL == 8
	vu bits = (vu)_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)half));
#else
	vu bits = {half[0], half[1], half[2], half[3]};
#endif

	return (vf)(bits << 16);
}

static inline vf from_int8(const char *byte)
{
#if VL == 16
	vi x = (vi)_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)byte));
#elif VL == 8
	vi x = (vi)_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)byte));
#else
	vi x = {(int8_t)byte[0], (int8_t)byte[1], (int8_t)byte[2], (int8_t)byte[3]};
#endif

	return __builtin_convertvector(x, vf);
}

/* What the numbers of a block are made of: its scale; for NF4, where vectors hold them, its levels. */
__attribute__((always_inline)) static inline vf begin_block(enum mat_type type, float scale)
{
	if (type == MAT_INT8)
		return vec_set(scale / 127);
#if VL == 16
	return scale * vec_load(mat_nf4);
#else
	return vec_set(scale);
#endif
}

/* Two to a byte, the lower four bits first. */
static inline vf from_nf4(const char *pair, vf block)
{
#if VL == 16
	const __m512i shift = _mm512_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28, 0, 4, 8, 12, 16, 20, 24, 28);
	int32_t half[2];
	__m512i bits;

	memcpy(half, pair, sizeof half);
	bits = _mm512_mask_set1_epi32(_mm512_set1_epi32(half[0]), 0xff00, half[1]);
	return (vf)_mm512_permutexvar_ps(_mm512_srlv_epi32(bits, shift), (__m512)block);
#else
	float level[VL];

	for (int i = 0; i < VL; i++)
		level[i] = mat_nf4[(uint8_t)pair[i / 2] >> (i % 2 * 4) & 15];
	return block * vec_load(level);
#endif
}

__attribute__((always_inline)) static inline vf load(enum mat_type type, const char *p, vf block)
{
	switch (type) {
	case MAT_F32:
		return vec_load((const float *)(const void *)p);
	case MAT_F16:
		return from_f16((const uint16_t *)(const void *)p);
	case MAT_BF16:
		return from_bf16((const uint16_t *)(const void *)p);
	case MAT_INT8:
		return block * from_int8(p);
	default:
		return from_nf4(p, block);
	}
}

/* The same of n < VL; the others are of no account. */
__attribute__((always_inline)) static inline vf load_part(enum mat_type type, const char *p, vf block, int64_t n)
{
	char room[4 * VL] = {0};

	memcpy(room, p, (size_t)(type == MAT_NF4 ? (n + 1) / 2 : bytes(type, n)));
	return load(type, room, block);
}

/* ---- rows of b along the sum */

/* c[ar, br] += a times b transposed, over k. The first to read these rows of b asks for those that come next. */
__attribute__((always_inline)) static inline void dots(enum mat_type type, bool first, int ar, int br, int64_t k,
	const float *a, int64_t lda, const struct stored *b, int64_t from, float *c, int64_t ldc)
{
	const bool blocks = type == MAT_INT8 || type == MAT_NF4;
	vf acc[AR][BR] = {0}, block[BR] = {0};
	int64_t l = 0;

	for (; l + VL <= k; l += VL) {
		vf row[BR];

		for (int j = 0; j < br; j++) {
			const char *p = b->data + (from + j) * b->ld + bytes(type, l);

			if (blocks && l % MAT_BLOCK == 0)
				block[j] = begin_block(type, b->scale[(from + j) * b->lds + l / MAT_BLOCK]);
			row[j] = load(type, p, block[j]);
			if (first && bytes(type, l) % 64 < bytes(type, VL))
				__builtin_prefetch(p + br * b->ld);
		}
		for (int i = 0; i < ar; i++)
			for (int j = 0; j < br; j++)
				acc[i][j] += vec_load(a + i * lda + l) * row[j];
	}
	for (int j = 0; l < k && j < br; j++) {
		vf row;

		if (blocks && l % MAT_BLOCK == 0)
			block[j] = begin_block(type, b->scale[(from + j) * b->lds + l / MAT_BLOCK]);
		row = load_part(type, b->data + (from + j) * b->ld + bytes(type, l), block[j], k - l);
		for (int i = 0; i < ar; i++)
			acc[i][j] += vec_load_part(a + i * lda + l, k - l) * row;
	}
	for (int i = 0; i < ar; i++) {
		v4 sum = sums(acc[i][0], acc[i][1], acc[i][2], acc[i][3]);

		for (int j = 0; j < br; j++)
			c[i * ldc + j] += sum[j];
	}
}

/* ar rows of a by all n of b. */
__attribute__((always_inline)) static inline void sweep(enum mat_type type, bool first, int ar, int64_t n, int64_t k,
	const float *a, int64_t lda, const struct stored *b, float *c, int64_t ldc)
{
	int64_t j = 0;

	for (; j + BR <= n; j += BR)
		dots(type, first, ar, BR, k, a, lda, b, j, c + j, ldc);
	for (; j < n; j++)
		dots(type, first, ar, 1, k, a, lda, b, j, c + j, ldc);
}

/* ---- rows of b across the sum */

/*
 * c[mr, nv vectors] += a times b, over k; n: numbers of the last vector. An element adds up as in tile() of
 * num/simd/product.h.
 */
__attribute__((always_inline)) static inline void across(enum mat_type type, int mr, int nv, int64_t n, int64_t k,
	const float *a, int64_t lda, const struct stored *b, float *c, int64_t ldc)
{
	vf acc[AR][WIDE];

	for (int i = 0; i < mr; i++)
		for (int j = 0; j < nv; j++)
			acc[i][j] = j == nv - 1 && n < VL ? vec_load_part(c + i * ldc + j * VL, n) : vec_load(c + i * ldc + j * VL);
	for (int64_t l = 0; l < k; l++) {
		const char *p = b->data + l * b->ld;
		vf block = {0};

		for (int64_t i = 0; i < bytes(type, nv * VL); i += 64)
			__builtin_prefetch(p + (type == MAT_F32 ? AHEAD : FAR) * b->ld + i, 0, 2);
		if (type == MAT_INT8 || type == MAT_NF4)
			block = begin_block(type, b->scale[l * b->lds]);
		for (int j = 0; j < nv; j++) {
			const char *at = p + bytes(type, j * VL);
			vf row = j == nv - 1 && n < VL ? load_part(type, at, block, n) : load(type, at, block);

			for (int i = 0; i < mr; i++)
				acc[i][j] += a[i * lda + l] * row;
		}
	}
	for (int i = 0; i < mr; i++)
		for (int j = 0; j < nv; j++) {
			if (j == nv - 1 && n < VL)
				vec_store_part(c + i * ldc + j * VL, acc[i][j], n);
			else
				vec_store(c + i * ldc + j * VL, acc[i][j]);
		}
}

/* ar rows of a by all n columns of b. */
__attribute__((always_inline)) static inline void sweep_across(enum mat_type type, int ar, int64_t n, int64_t k,
	const float *a, int64_t lda, const struct stored *b, float *c, int64_t ldc)
{
	for (int64_t j = 0, wide; j < n; j += wide) {
		struct stored part = {b->data + bytes(type, j), b->scale + j / MAT_BLOCK, b->ld, b->lds};
		int64_t left = n - j;

		wide = left >= WIDE * VL ? WIDE * VL : VL;
		if (left >= WIDE * VL)
			across(type, ar, WIDE, VL, k, a, lda, &part, c + j, ldc);
		else
			across(type, ar, 1, left < VL ? left : VL, k, a, lda, &part, c + j, ldc);
	}
}

/* ---- all rows */

/* ar rows of a by all n of b, whose rows are what is summed or, with turned, what is not. */
__attribute__((always_inline)) static inline void sweep_rows(enum mat_type type, bool turned, bool first, int ar,
	int64_t n, int64_t k, const float *a, int64_t lda, const struct stored *b, float *c, int64_t ldc)
{
	if (turned)
		sweep_across(type, ar, n, k, a, lda, b, c, ldc);
	else
		sweep(type, first, ar, n, k, a, lda, b, c, ldc);
}

/* Rows of a in groups of much the same size. */
__attribute__((always_inline)) static inline void groups(enum mat_type type, bool turned, int64_t m, int64_t n, int64_t k,
	const float *a, int64_t lda, const struct stored *b, float *c, int64_t ldc)
{
	for (int64_t all = (m + AR - 1) / AR, left = all; left; left--) {
		int64_t ar = m / left;

		switch (ar) {
		case 1:
			sweep_rows(type, turned, type != MAT_F32, 1, n, k, a, lda, b, c, ldc);
			break;
		case 2:
			sweep_rows(type, turned, left == all, 2, n, k, a, lda, b, c, ldc);
			break;
#if AR > 2
		case 3:
			sweep_rows(type, turned, left == all, 3, n, k, a, lda, b, c, ldc);
			break;
		case 4:
			sweep_rows(type, turned, left == all, 4, n, k, a, lda, b, c, ldc);
			break;
		case 5:
			sweep_rows(type, turned, left == all, 5, n, k, a, lda, b, c, ldc);
			break;
		default:
			sweep_rows(type, turned, left == all, AR, n, k, a, lda, b, c, ldc);
#endif
		}
		a += ar * lda;
		c += ar * ldc;
		m -= ar;
	}
}

__attribute__((always_inline)) static inline void transposed(enum mat_type type, int64_t m, int64_t n, int64_t k,
	const float *a, int64_t lda, struct stored b, float *c, int64_t ldc)
{
	for (int64_t l = 0; l < k; l += DEPTH) {
		groups(type, false, m, n, k - l < DEPTH ? k - l : DEPTH, a + l, lda, &b, c, ldc);
		b.data += bytes(type, DEPTH);
		b.scale += DEPTH / MAT_BLOCK;
	}
}

/* ---- the products */

void VEC_NAME(gemm_apart)(bool tb, int64_t m, int64_t n, int64_t k, const float *a, int64_t lda, const float *b,
	int64_t ldb, float *c, int64_t ldc)
{
	if (tb)
		transposed(MAT_F32, m, n, k, a, lda, (struct stored){(const char *)b, NULL, 4 * ldb, 0}, c, ldc);
	else
		product(m, n, k, a, lda, 1, b, ldb, c, ldc, true);
}

__attribute__((always_inline)) static inline void few(enum mat_type type, int64_t m, int64_t n, const float *a,
	int64_t lda, const struct mat *w, int64_t from, float *c, int64_t ldc)
{
	int64_t columns = mat_columns(w), blocks = mat_row_blocks(w->type, columns);
	struct stored b = {w->data, w->scale, (int64_t)mat_row_size(w->type, columns), blocks};

	if (w->in_first) {
		b.data += bytes(type, from);
		b.scale += blocks ? from / MAT_BLOCK : 0;
		groups(type, true, m, n, w->in, a, lda, &b, c, ldc);
	} else {
		b.data += from * b.ld;
		b.scale += from * blocks;
		transposed(type, m, n, w->in, a, lda, b, c, ldc);
	}
}

void VEC_NAME(gemm_few)(int64_t m, const float *a, int64_t lda, const struct mat *w, int64_t from, int64_t n, float *c,
	int64_t ldc)
{
	switch (w->type) {
	case MAT_F32:
		few(MAT_F32, m, n, a, lda, w, from, c, ldc);
		break;
	case MAT_F16:
		few(MAT_F16, m, n, a, lda, w, from, c, ldc);
		break;
	case MAT_BF16:
		few(MAT_BF16, m, n, a, lda, w, from, c, ldc);
		break;
	case MAT_INT8:
		few(MAT_INT8, m, n, a, lda, w, from, c, ldc);
		break;
	case MAT_NF4:
		few(MAT_NF4, m, n, a, lda, w, from, c, ldc);
		break;
	}
}
