/* Matrices in fewer bits: their layout, and the definition of what they stand for. */
#include <math.h>
#include <string.h>

#include "base/dtype.h"
#include "num/kernels.h"

/* Appendix E of the paper: the levels' exact values. */
const float mat_nf4[16] = {-1.0f, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f,
	-0.28444138169288635f, -0.18477343022823334f, -0.09105003625154495f, 0.0f, 0.07958029955625534f,
	0.16093020141124725f, 0.24611230194568634f, 0.33791524171829224f, 0.44070982933044434f, 0.5626170039176941f,
	0.7229568362236023f, 1.0f};

size_t mat_row_size(enum mat_type type, int64_t columns)
{
	static const size_t bits[] = {[MAT_F32] = 32, [MAT_F16] = 16, [MAT_BF16] = 16, [MAT_INT8] = 8, [MAT_NF4] = 4};

	return ((size_t)columns * bits[type] + 7) / 8;
}

int64_t mat_row_blocks(enum mat_type type, int64_t columns)
{
	return type == MAT_INT8 || type == MAT_NF4 ? (columns + MAT_BLOCK - 1) / MAT_BLOCK : 0;
}

struct mat mat_part(const struct mat *w, int64_t from, int64_t n)
{
	const char *data = (const char *)w->data + mat_row_size(w->type, w->in) * (size_t)from;
	int64_t blocks = mat_row_blocks(w->type, w->in);

	return (struct mat){data, n, w->in, false, w->type, blocks ? w->scale + blocks * from : NULL, NULL};
}

static float largest(const float *x, int64_t n)
{
	float most = 0;

	for (int64_t i = 0; i < n; i++)
		most = fabsf(x[i]) > most ? fabsf(x[i]) : most;
	return most;
}

static unsigned nearest_level(float x)
{
	unsigned i = 0;

	while (i < 15 && x > (mat_nf4[i] + mat_nf4[i + 1]) / 2)
		i++;
	return i;
}

void mat_quantise(enum mat_type type, void *to, float *scale, const float *row, int64_t columns)
{
	int8_t *bytes = to;
	uint8_t *pairs = to;

	for (int64_t i = 0; i < columns; i++) {
		float *s = &scale[i / MAT_BLOCK], x;

		if (i % MAT_BLOCK == 0)
			*s = largest(row + i, columns - i < MAT_BLOCK ? columns - i : MAT_BLOCK);
		x = *s > 0 ? row[i] / *s : 0;
		if (type == MAT_INT8)
			bytes[i] = (int8_t)lrintf(x * 127);
		else if (i % 2 == 0)
			pairs[i / 2] = (uint8_t)nearest_level(x);
		else
			pairs[i / 2] |= (uint8_t)(nearest_level(x) << 4);
	}
}

void reference_to_half(uint16_t *half, const float *x, int64_t n)
{
	dtype_from_f32(half, x, BF16, (size_t)n);
}

void reference_half_tiles(void *to, int64_t ldt, const float *x, int64_t ldx, int64_t n, int64_t k, bool rows,
	bool right)
{
	for (int64_t i = 0; i < (n + HALF_LINES - 1) / HALF_LINES * HALF_LINES; i++)
		for (int64_t l = 0; l < half_depth(k); l++) {
			uint16_t *tile = (uint16_t *)to + i / HALF_LINES * HALF_LINES * ldt + l / HALF_DEPTH * HALF_TILE;
			int64_t line = i % HALF_LINES, deep = l % HALF_DEPTH;
			float one = i < n && l < k ? x[rows ? i * ldx + l : l * ldx + i] : 0;

			reference_to_half(&tile[right ? (deep / 2 * HALF_LINES + line) * 2 + deep % 2 : line * HALF_DEPTH + deep],
				&one, 1);
		}
}

void reference_mat_load(float *dst, enum mat_type type, const void *data, const float *scale, int64_t columns)
{
	const int8_t *bytes = data;
	const uint8_t *pairs = data;

	if (type == MAT_F16 || type == MAT_BF16) {
		dtype_to_f32(dst, data, type == MAT_F16 ? F16 : BF16, (size_t)columns);
		return;
	}
	for (int64_t i = 0; i < columns; i++)
		dst[i] = type == MAT_INT8 ? scale[i / MAT_BLOCK] / 127 * (float)bytes[i]
					  : scale[i / MAT_BLOCK] * mat_nf4[pairs[i / 2] >> (i % 2 * 4) & 15];
}
