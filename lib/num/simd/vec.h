/*
 * Vectors of floats as wide as the instruction set that this file is compiled for, in GCC's and clang's
 * common vector extension. Files in this folder are compiled once for each; ISA names it.
 */
#ifndef NUM_SIMD_VEC_H
#define NUM_SIMD_VEC_H

#include <stdint.h>
#include <string.h>

#define VEC_JOIN2(a, b) a##_##b
#define VEC_JOIN(a, b) VEC_JOIN2(a, b)
#define VEC_NAME(name) VEC_JOIN(name, ISA) /* so that each compilation has names of its own */

#if defined(__AVX512F__)
#include <immintrin.h>
#define VL 16
#elif defined(__AVX2__)
#include <immintrin.h>
#define VL 8
#else
#define VL 4
#endif

typedef float vf __attribute__((vector_size(4 * VL)));
typedef int32_t vi __attribute__((vector_size(4 * VL)));

static inline vf vec_load(const float *p)
{
	vf v;

	memcpy(&v, p, sizeof v);
	return v;
}

static inline void vec_store(float *p, vf v)
{
	memcpy(p, &v, sizeof v);
}

/* The first n < VL elements; the others are 0. */
static inline vf vec_load_part(const float *p, int64_t n)
{
#if defined(__AVX512F__)
	return (vf)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
#else
	vf v = {0};

	memcpy(&v, p, 4 * (size_t)n);
	return v;
#endif
}

static inline void vec_store_part(float *p, vf v, int64_t n)
{
#if defined(__AVX512F__)
	_mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), (__m512)v);
#else
	memcpy(p, &v, 4 * (size_t)n);
#endif
}

/* The first n < VL elements of v; the others are 0. */
static inline vf vec_first(vf v, int64_t n)
{
#if defined(__AVX512F__)
	return (vf)_mm512_maskz_mov_ps((__mmask16)((1u << n) - 1), (__m512)v);
#else
	vf some = {0};

	memcpy(&some, &v, 4 * (size_t)n);
	return some;
#endif
}

static inline vf vec_set(float x)
{
	return x - (vf){0};
}

static inline vf vec_select(vi mask, vf yes, vf no)
{
	return (vf)(((vi)yes & mask) | ((vi)no & ~mask));
}

static inline vf vec_max(vf a, vf b)
{
	return vec_select(a > b, a, b);
}

static inline float vec_sum(vf v)
{
#if defined(__AVX512F__)
	return _mm512_reduce_add_ps((__m512)v);
#else
	float s = 0;

	for (int i = 0; i < VL; i++)
		s += v[i];
	return s;
#endif
}

static inline float vec_most(vf v)
{
#if defined(__AVX512F__)
	return _mm512_reduce_max_ps((__m512)v);
#else
	float m = v[0];

	for (int i = 1; i < VL; i++)
		m = v[i] > m ? v[i] : m;
	return m;
#endif
}

/* Of p[n], n at least 1. */
static inline float vec_largest(const float *p, int64_t n)
{
	vf most = vec_set(p[0]);
	int64_t j = 0;
	float m;

	for (; j + VL <= n; j += VL)
		most = vec_max(most, vec_load(p + j));
	m = vec_most(most);
	for (; j < n; j++)
		m = p[j] > m ? p[j] : m;
	return m;
}

/*
 * e to the x within 2 units in the last place; x is held to [-87, 88], and what is not a number stays so.
 * Range reduction by powers of two and the polynomial of Cephes' expf (Moshier).
 */
static inline vf vec_exp(vf x)
{
	const float round = 12582912.0f; /* 1.5 * 2^23: adding it leaves the nearest integer in the low bits */
	vf n, r, p;
	vi power;

	x = vec_select(x < -87.0f, vec_set(-87.0f), x);
	x = vec_select(x > 88.0f, vec_set(88.0f), x);
	n = x * 1.44269504f + round;
	power = ((vi)n << 23) + (vi)vec_set(1.0f);
	n -= round;
	r = x - n * 0.693359375f;
	r = r - n * -2.12194440e-4f;
	p = vec_set(1.9875691500e-4f);
	p = p * r + 1.3981999507e-3f;
	p = p * r + 8.3334519073e-3f;
	p = p * r + 4.1665795894e-2f;
	p = p * r + 1.6666665459e-1f;
	p = p * r + 5.0000001201e-1f;
	p = p * r * r + r + 1.0f;
	return p * (vf)power;
}

/* 1 / x within 2 units in the last place, for x neither 0 nor infinite; what is not a number stays so. */
static inline vf vec_reciprocal(vf x)
{
#if defined(__AVX512F__)
	vf r = (vf)_mm512_rcp14_ps((__m512)x);

	return r + r * (1.0f - x * r);
#else
	return 1.0f / x;
#endif
}

/*
 * The normal distribution's function within 1.2e-7, and of itself 1e-6 down to -5, and its density. Polynomials of Cephes'
 * erff and erfcf (Moshier): erf(z) = z T(z^2) up to 1, then erfc(z) = exp(-z^2) / z times P or, from 2, R of 1 / z^2.
 */
static inline vf vec_normal(vf x, vf *density)
{
	vf z = vec_select(x < 0.0f, -x, x) * 0.70710678f, q = vec_reciprocal(z), y = q * q, e = vec_exp(-0.5f * x * x);
	vf t, p, r;

	y = vec_select(z < 1.0f, z * z, y);
	t = vec_set(7.853861353153693e-5f);
	t = t * y - 8.010193625184903e-4f;
	t = t * y + 5.188327685732524e-3f;
	t = t * y - 2.685381193529856e-2f;
	t = t * y + 1.128358514861418e-1f;
	t = t * y - 3.761262582423300e-1f;
	t = t * y + 1.128379165726710e0f;
	p = vec_set(2.326819970068386e-2f);
	p = p * y - 1.387039388740657e-1f;
	p = p * y + 3.687424674597105e-1f;
	p = p * y - 5.824733027278666e-1f;
	p = p * y + 6.210004621745983e-1f;
	p = p * y - 4.944515323274145e-1f;
	p = p * y + 3.404879937665872e-1f;
	p = p * y - 2.741127028184656e-1f;
	p = p * y + 5.638259427386472e-1f;
	r = vec_set(-1.047766399936249e1f);
	r = r * y + 1.297719955372516e1f;
	r = r * y - 7.495518717768503e0f;
	r = r * y + 2.921019019210786e0f;
	r = r * y - 1.015265279202700e0f;
	r = r * y + 4.218463358204948e-1f;
	r = r * y - 2.820767439740514e-1f;
	r = r * y + 5.641895067754075e-1f;
	p = 0.5f * e * q * vec_select(z < 2.0f, p, r);
	p = vec_select(z < 1.0f, 0.5f - 0.5f * z * t, p);
	*density = e * 0.39894228f;
	return vec_select(x < 0.0f, p, 1.0f - p);
}

/* The hyperbolic tangent within 3 units in the last place; what is not a number stays so. Cephes' tanhf (Moshier). */
static inline vf vec_tanh(vf x)
{
	vf z = x * x, p = vec_set(-5.70498872745e-3f);

	p = p * z + 2.06390887954e-2f;
	p = p * z - 5.37397155531e-2f;
	p = p * z + 1.33314422036e-1f;
	p = p * z - 3.33332819422e-1f;
	return vec_select(z < 0.390625f, p * z * x + x, 1.0f - 2.0f / (vec_exp(2.0f * x) + 1.0f));
}

#endif
