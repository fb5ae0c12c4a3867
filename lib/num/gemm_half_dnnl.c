/*
 * oneDNN's matrix product of BF16, in the calling thread alone. A product of each shape is code of its own, made once
 * and kept by the thread.
 */
#include <oneapi/dnnl/dnnl.h>
#include <stdlib.h>
#include <string.h>

#include "num/kernels.h"

struct shape {
	int64_t m, n, k, lda, ldb, ldc;
	bool ta, tb, add;
};

#if DNNL_VERSION_MAJOR == 2

struct product {
	struct shape shape;
	dnnl_primitive_t primitive; /* NULL: the entry is free */
	dnnl_memory_t a, b, c, scratch;
};

#define PRODUCTS 1024 /* a power of 2 */

static _Thread_local struct {
	dnnl_engine_t engine;
	dnnl_stream_t stream;
	struct product *products; /* [PRODUCTS] a hash table, of which at most half is used */
	size_t used;
	void *scratch;
	size_t scratch_size;
} mine;

bool gemm_half_supported(void)
{
	return true;
}

static bool open_mine(void)
{
	if (!mine.products)
		mine.products = calloc(PRODUCTS, sizeof *mine.products);
	if (!mine.engine && dnnl_engine_create(&mine.engine, dnnl_cpu, 0) != dnnl_success)
		return false;
	return mine.products &&
		(mine.stream || dnnl_stream_create(&mine.stream, mine.engine, dnnl_stream_default_flags) == dnnl_success);
}

static void describe(dnnl_memory_desc_t *d, dnnl_data_type_t type, int64_t rows, int64_t columns, int64_t ld, bool turned)
{
	const dnnl_dims_t sizes = {rows, columns}, strides = {turned ? 1 : ld, turned ? ld : 1};

	dnnl_memory_desc_init_by_strides(d, 2, sizes, type, strides);
}

/* Room for what the library wants to work in, in the thread. */
static bool reserve(size_t bytes)
{
	if (bytes <= mine.scratch_size)
		return true;
	free(mine.scratch);
	mine.scratch_size = (bytes + 4095) / 4096 * 4096;
	mine.scratch = aligned_alloc(4096, mine.scratch_size);
	if (!mine.scratch)
		mine.scratch_size = 0;
	return mine.scratch;
}

static void release(struct product *p)
{
	dnnl_primitive_destroy(p->primitive);
	dnnl_memory_destroy(p->a);
	dnnl_memory_destroy(p->b);
	dnnl_memory_destroy(p->c);
	dnnl_memory_destroy(p->scratch);
	*p = (struct product){.primitive = NULL};
}

static bool make(struct product *p)
{
	const struct shape *s = &p->shape;
	dnnl_memory_desc_t a, b, c;
	const dnnl_memory_desc_t *scratch;
	dnnl_matmul_desc_t what;
	dnnl_primitive_attr_t attr = NULL;
	dnnl_post_ops_t sum = NULL;
	dnnl_primitive_desc_t how = NULL;
	bool good;

	describe(&a, dnnl_bf16, s->m, s->k, s->lda, s->ta);
	describe(&b, dnnl_bf16, s->k, s->n, s->ldb, s->tb);
	describe(&c, dnnl_f32, s->m, s->n, s->ldc, false);
	good = !dnnl_matmul_desc_init(&what, &a, &b, NULL, &c) && !dnnl_primitive_attr_create(&attr) &&
		!dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
	if (good && s->add)
		good = !dnnl_post_ops_create(&sum) && !dnnl_post_ops_append_sum(sum, 1) &&
			!dnnl_primitive_attr_set_post_ops(attr, sum);
	good = good && !dnnl_primitive_desc_create(&how, &what, attr, mine.engine, NULL) &&
		!dnnl_primitive_create(&p->primitive, how);
	scratch = good ? dnnl_primitive_desc_query_md(how, dnnl_query_scratchpad_md, 0) : NULL;
	good = good && !dnnl_memory_create(&p->a, &a, mine.engine, DNNL_MEMORY_NONE) &&
		!dnnl_memory_create(&p->b, &b, mine.engine, DNNL_MEMORY_NONE) &&
		!dnnl_memory_create(&p->c, &c, mine.engine, DNNL_MEMORY_NONE) &&
		!dnnl_memory_create(&p->scratch, scratch, mine.engine, DNNL_MEMORY_NONE) &&
		reserve(dnnl_memory_desc_get_size(scratch));
	dnnl_primitive_desc_destroy(how);
	dnnl_post_ops_destroy(sum);
	dnnl_primitive_attr_destroy(attr);
	if (!good)
		release(p);
	return good;
}

static void forget_all(void)
{
	for (size_t i = 0; i < PRODUCTS; i++)
		release(&mine.products[i]);
	mine.used = 0;
}

static size_t hash(const struct shape *s)
{
	const int64_t parts[] = {s->m, s->n, s->k, s->lda, s->ldb, s->ldc, s->ta + 2 * s->tb + 4 * s->add};
	uint64_t h = 0;

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		h = (h ^ (uint64_t)parts[i]) * 0x9e3779b97f4a7c15u;
	return (size_t)(h >> 32);
}

static bool same_shape(const struct shape *a, const struct shape *b)
{
	return a->m == b->m && a->n == b->n && a->k == b->k && a->lda == b->lda && a->ldb == b->ldb && a->ldc == b->ldc &&
		a->ta == b->ta && a->tb == b->tb && a->add == b->add;
}

static const struct product *find(const struct shape *s)
{
	size_t at;

	if (!open_mine())
		return NULL;
	for (at = hash(s) % PRODUCTS; mine.products[at].primitive; at = (at + 1) % PRODUCTS)
		if (same_shape(&mine.products[at].shape, s))
			return &mine.products[at];
	if (mine.used == PRODUCTS / 2) {
		forget_all();
		at = hash(s) % PRODUCTS;
	}
	mine.products[at].shape = *s;
	mine.used++;
	return make(&mine.products[at]) ? &mine.products[at] : NULL;
}

static bool execute(const struct product *p, const uint16_t *a, const uint16_t *b, float *c)
{
	const dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, p->a}, {DNNL_ARG_WEIGHTS, p->b}, {DNNL_ARG_DST, p->c},
		{DNNL_ARG_SCRATCHPAD, p->scratch}};

	/* It reads a and b alone. */
	return !dnnl_memory_set_data_handle(p->a, (void *)(uintptr_t)a) &&
		!dnnl_memory_set_data_handle(p->b, (void *)(uintptr_t)b) && !dnnl_memory_set_data_handle(p->c, c) &&
		!dnnl_memory_set_data_handle(p->scratch, mine.scratch) && !dnnl_primitive_execute(p->primitive, mine.stream, 4, args);
}

static bool by_library(const struct shape *s, const uint16_t *a, const uint16_t *b, float *c)
{
	const struct product *p = find(s);

	return p && execute(p, a, b, c);
}

#else /* the library's other versions have other calls for all of this */

bool gemm_half_supported(void)
{
	return false;
}

static bool by_library(const struct shape *s, const uint16_t *a, const uint16_t *b, float *c)
{
	(void)s, (void)a, (void)b, (void)c;
	return false;
}

#endif

static void by_loops(const struct shape *s, const uint16_t *a, const uint16_t *b, float *c)
{
	for (int64_t i = 0; i < s->m; i++)
		for (int64_t j = 0; j < s->n; j++) {
			float sum = 0;

			for (int64_t k = 0; k < s->k; k++)
				sum += half_to_float(a[s->ta ? k * s->lda + i : i * s->lda + k]) *
					half_to_float(b[s->tb ? j * s->ldb + k : k * s->ldb + j]);
			c[i * s->ldc + j] = (s->add ? c[i * s->ldc + j] : 0) + sum;
		}
}

void gemm_half_dnnl(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const uint16_t *a, int64_t lda, const uint16_t *b,
	int64_t ldb, float *c, int64_t ldc, bool add)
{
	const struct shape s = {m, n, k, lda, ldb, ldc, ta, tb, add};

	if (!by_library(&s, a, b, c))
		by_loops(&s, a, b, c);
}
