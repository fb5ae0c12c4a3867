#include "base/dtype.h"

#include <string.h>

static const struct {
	const char *name;
	size_t size;
} table[DTYPE_COUNT] = {
	[F64] = {"F64", 8},
	[I64] = {"I64", 8},
	[U64] = {"U64", 8},
	[F32] = {"F32", 4},
	[I32] = {"I32", 4},
	[U32] = {"U32", 4},
	[F16] = {"F16", 2},
	[BF16] = {"BF16", 2},
	[I16] = {"I16", 2},
	[U16] = {"U16", 2},
	[I8] = {"I8", 1},
	[U8] = {"U8", 1},
	[BOOL] = {"BOOL", 1},
};

const char *dtype_name(enum dtype t)
{
	return t < DTYPE_COUNT ? table[t].name : "none";
}

size_t dtype_size(enum dtype t)
{
	return t < DTYPE_COUNT ? table[t].size : 0;
}

enum dtype dtype_parse(const char *name, size_t n)
{
	for (enum dtype t = 0; t < DTYPE_COUNT; t++)
		if (strlen(table[t].name) == n && !memcmp(table[t].name, name, n))
			return t;
	return DTYPE_NONE;
}

static float from_bits(uint32_t bits)
{
	float f;

	memcpy(&f, &bits, sizeof f);
	return f;
}

static uint32_t to_bits(float f)
{
	uint32_t bits;

	memcpy(&bits, &f, sizeof bits);
	return bits;
}

static float half_to_float(uint16_t h)
{
	uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, fraction = h & 0x3ff;

	if (exponent == 31)
		return from_bits(sign | 0x7f800000 | fraction << 13);
	if (exponent)
		return from_bits(sign | (exponent + 112) << 23 | fraction << 13);
	return (sign ? -1 : 1) * (float)fraction * 0x1p-24f;
}

static uint16_t float_to_half(float f)
{
	uint32_t bits = to_bits(f), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
	uint32_t half, rest, shift;

	if (magnitude > 0x7f800000)
		return (uint16_t)(sign | 0x7e00);
	if (magnitude >= 0x47800000)
		return (uint16_t)(sign | 0x7c00);
	if (magnitude < 0x33000000)
		return (uint16_t)sign;
	if (magnitude >= 0x38800000) {
		half = (magnitude - 0x38000000) >> 13;
		rest = magnitude & 0x1fff;
		shift = 13;
	} else {
		shift = 126 - (magnitude >> 23);
		magnitude = (magnitude & 0x7fffff) | 0x800000;
		half = magnitude >> shift;
		rest = magnitude & ((1u << shift) - 1);
	}
	half += rest > 1u << (shift - 1) || (rest == 1u << (shift - 1) && (half & 1));
	return (uint16_t)(sign | half);
}

static uint16_t float_to_bfloat(float f)
{
	uint32_t bits = to_bits(f);

	if ((bits & 0x7fffffff) > 0x7f800000)
		return (uint16_t)(bits >> 16 | 0x40);
	return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

void dtype_to_f32(float *dst, const void *src, enum dtype from, size_t n)
{
	const char *p = src;
	uint16_t h;
	double d;

	if (from == F32)
		memcpy(dst, src, n * sizeof *dst);
	for (size_t i = 0; i < n && (from == F16 || from == BF16); i++) {
		memcpy(&h, p + 2 * i, 2);
		dst[i] = from == F16 ? half_to_float(h) : from_bits((uint32_t)h << 16);
	}
	for (size_t i = 0; i < n && from == F64; i++) {
		memcpy(&d, p + 8 * i, 8);
		dst[i] = (float)d;
	}
}

void dtype_from_f32(void *dst, const float *src, enum dtype to, size_t n)
{
	char *p = dst;
	uint16_t h;
	double d;

	if (to == F32)
		memcpy(dst, src, n * sizeof *src);
	for (size_t i = 0; i < n && (to == F16 || to == BF16); i++) {
		h = to == F16 ? float_to_half(src[i]) : float_to_bfloat(src[i]);
		memcpy(p + 2 * i, &h, 2);
	}
	for (size_t i = 0; i < n && to == F64; i++) {
		d = src[i];
		memcpy(p + 8 * i, &d, 8);
	}
}
