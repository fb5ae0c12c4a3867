/* Matrices in fewer bits, a row's part at a time. */
#if defined(__F16C__)
#include <immintrin.h>
#endif

#include "base/dtype.h"
#include "num/simd/simd.h"

static void load_bf16(float *restrict dst, const uint16_t *restrict half, int64_t n)
{
	uint32_t *bits = (uint32_t *)dst;

#pragma omp simd
	for (int64_t i = 0; i < n; i++)
		bits[i] = (uint32_t)half[i] << 16;
}

static void load_f16(float *restrict dst, const uint16_t *restrict half, int64_t n)
{
#if defined(__F16C__)
	int64_t i = 0;

	for (; i + 8 <= n; i += 8)
		_mm256_storeu_ps(dst + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(half + i))));
	dst += i;
	half += i;
	n -= i;
#endif
	dtype_to_f32(dst, half, F16, (size_t)n);
}

static void load_int8(float *restrict dst, const int8_t *restrict byte, float scale, int64_t n)
{
#pragma omp simd
	for (int64_t i = 0; i < n; i++)
		dst[i] = scale / 127 * (float)byte[i];
}

/* Two numbers to a byte: the lower four bits first. */
static void load_nf4(float *restrict dst, const uint8_t *restrict pair, float scale, int64_t n)
{
	float level[16];

	for (int i = 0; i < 16; i++)
		level[i] = scale * mat_nf4[i];
	for (int64_t i = 0; i < n / 2; i++) {
		dst[2 * i] = level[pair[i] & 15];
		dst[2 * i + 1] = level[pair[i] >> 4];
	}
	if (n % 2)
		dst[n - 1] = level[pair[n / 2] & 15];
}

void VEC_NAME(mat_load)(float *dst, enum mat_type type, const void *data, const float *scale, int64_t columns)
{
	if (type == MAT_BF16)
		load_bf16(dst, data, columns);
	else if (type == MAT_F16)
		load_f16(dst, data, columns);
	else
		for (int64_t i = 0; i < columns; i += MAT_BLOCK) {
			int64_t n = columns - i < MAT_BLOCK ? columns - i : MAT_BLOCK;

			if (type == MAT_INT8)
				load_int8(dst + i, (const int8_t *)data + i, scale[i / MAT_BLOCK], n);
			else
				load_nf4(dst + i, (const uint8_t *)data + i / 2, scale[i / MAT_BLOCK], n);
		}
}
