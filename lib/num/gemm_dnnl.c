/* The only place of oneDNN. Its sgemm needs no primitive of its own for each shape. */
#include "num/kernels.h"

#include <oneapi/dnnl/dnnl.h>

void gemm_dnnl(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const float *a, int64_t lda,
	const float *b, int64_t ldb, float *c, int64_t ldc, bool add)
{
	/* It fails only on bad arguments, which the callers' shapes exclude. */
	dnnl_sgemm(ta ? 'T' : 'N', tb ? 'T' : 'N', m, n, k, 1.0f, a, lda, b, ldb, add ? 1.0f : 0.0f, c, ldc);
}
