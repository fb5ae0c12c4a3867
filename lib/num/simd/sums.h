/* Sums of vectors' lanes, added pairwise. */
#ifndef NUM_SIMD_SUMS_H
#define NUM_SIMD_SUMS_H

#include "num/simd/vec.h"

typedef float v4 __attribute__((vector_size(16)));

/* Lanes added to four. */
static inline v4 fold(vf v)
{
#if VL == 16
	typedef float v8 __attribute__((vector_size(32)));
	v8 h = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) +
	       __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
#else
	vf h = v;
#endif
#if VL == 4
	return h;
#else
	return __builtin_shufflevector(h, h, 0, 1, 2, 3) +
	       __builtin_shufflevector(h, h, 4, 5, 6, 7);
#endif
}

/* The sums of four vectors' lanes. */
static inline v4 sums(vf a, vf b, vf c, vf d)
{
	v4 p = fold(a), q = fold(b), r = fold(c), s = fold(d);
	v4 pq = __builtin_shufflevector(p, q, 0, 4, 1, 5) +
		__builtin_shufflevector(p, q, 2, 6, 3, 7);
	v4 rs = __builtin_shufflevector(r, s, 0, 4, 1, 5) +
		__builtin_shufflevector(r, s, 2, 6, 3, 7);

	return __builtin_shufflevector(pq, rs, 0, 1, 4, 5) +
	       __builtin_shufflevector(pq, rs, 2, 3, 6, 7);
}

#endif
