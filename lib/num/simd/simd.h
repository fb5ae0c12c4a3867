/* What the files of this folder give each other and num/ops.c, under the name of their instruction set. */
#ifndef NUM_SIMD_SIMD_H
#define NUM_SIMD_SIMD_H

#include "num/kernels.h"
#include "num/simd/vec.h"

int64_t VEC_NAME(attend_scratch)(int64_t longest, const struct attention *a);
void VEC_NAME(attend_forward)(float *out, float *lse, const float *q, const float *k, const float *v,
	const struct attention *a, const struct span *s, int64_t from, int64_t to, int64_t kv_head, float *scratch);
void VEC_NAME(attend_backward)(float *dq, float *dk, float *dv, const float *dout, const float *out,
	const float *lse, const float *q, const float *k, const float *v, const struct attention *a,
	const struct span *span, int64_t from, int64_t to, int64_t kv_head, float *scratch);

int64_t VEC_NAME(attend_half_scratch)(const struct attention *a);
void VEC_NAME(attend_half_forward)(const struct multiplier *m, float *out, float *lse, const float *q, const float *k,
	const float *v, const struct attention *a, const struct span *s, int64_t from, int64_t to, int64_t kv_head,
	float *scratch);
void VEC_NAME(attend_half_backward)(const struct multiplier *m, float *dq, float *dk, float *dv, const float *dout,
	const float *out, const float *lse, const float *q, const float *k, const float *v, const struct attention *a,
	const struct span *span, int64_t from, int64_t to, int64_t kv_head, float *scratch);

void VEC_NAME(attend_past)(float *out, const float *q, const struct attention *a, const struct past *past,
	int64_t at, int64_t kv_head, float *scratch);

extern const struct multiplier VEC_NAME(multiplier);

void VEC_NAME(gemm_apart)(bool tb, int64_t m, int64_t n, int64_t k, const float *a, int64_t lda, const float *b,
	int64_t ldb, float *c, int64_t ldc);
void VEC_NAME(gemm_few)(int64_t m, const float *a, int64_t lda, const struct mat *w, int64_t from, int64_t n, float *c,
	int64_t ldc);
#if VL == 16
void VEC_NAME(half_pack)(bool amx, uint16_t *to, const float *x, int64_t ldx, int64_t from, int64_t rows, int64_t k);
void VEC_NAME(half_apart)(bool amx, int64_t rows, int64_t n, int64_t at, int64_t k, const uint16_t *x, int64_t depth,
	const uint16_t *w, int64_t ldw, float *y, int64_t ldy);
#endif

void VEC_NAME(to_half)(uint16_t *half, const float *x, int64_t n);
void VEC_NAME(half_tiles)(void *to, int64_t ldt, const float *x, int64_t ldx, int64_t n, int64_t k, bool rows,
	bool right);
void VEC_NAME(mat_load)(float *dst, enum mat_type type, const void *data, const float *scale, int64_t columns);

void VEC_NAME(update)(float *w, float *m, float *v, const float *g, int64_t n, const struct update *o);
void VEC_NAME(moment_load)(float *x, const struct moment *m, int64_t from, int64_t n);
void VEC_NAME(moment_store)(const struct moment *m, const float *x, int64_t from, int64_t n, uint32_t noise);

extern const struct kernels VEC_NAME(kernels);

#endif
