#include "tests/bench/support/bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <oneapi/dnnl/dnnl.h>

#include "base/mem.h"
#include "base/rng.h"
#include "num/kernels.h"

double bench_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void bench_die(const struct err *err)
{
	fprintf(stderr, "bench: %s\n", err->text);
	exit(1);
}

#define N 3072

/* Numbers of both signs and many sizes: the power that they take slows a processor, which zeros do not. */
static float number(int64_t i)
{
	return (float)rng_uniform(1, 0, (uint64_t)i) - 0.5f;
}

#if DNNL_VERSION_MAJOR == 2
/* Pages that nobody wrote are all the same one, which never leaves the first cache. */
static void fill(dnnl_memory_t m)
{
	void *data = NULL;

	dnnl_memory_get_data_handle(m, &data);
	for (int64_t i = 0; data && i < N * N; i++)
		((uint16_t *)data)[i] = half_of(number(i));
}
#endif

/* oneDNN's product of BF16 at N^3, the right operand laid out as it likes best; 0 where its calls are others. */
static double library_half(void)
{
	double best = 0;
#if DNNL_VERSION_MAJOR == 2
	const dnnl_dims_t sizes = {N, N};
	dnnl_engine_t engine;
	dnnl_stream_t stream;
	dnnl_memory_desc_t plain, free_of_choice;
	dnnl_matmul_desc_t what;
	dnnl_primitive_desc_t how;
	dnnl_primitive_t product;
	dnnl_memory_t a, b, c;

	if (dnnl_engine_create(&engine, dnnl_cpu, 0) || dnnl_stream_create(&stream, engine, dnnl_stream_default_flags) ||
		dnnl_memory_desc_init_by_tag(&plain, 2, sizes, dnnl_bf16, dnnl_ab) ||
		dnnl_memory_desc_init_by_tag(&free_of_choice, 2, sizes, dnnl_bf16, dnnl_format_tag_any) ||
		dnnl_matmul_desc_init(&what, &plain, &free_of_choice, NULL, &plain) ||
		dnnl_primitive_desc_create(&how, &what, NULL, engine, NULL) || dnnl_primitive_create(&product, how) ||
		dnnl_memory_create(&a, &plain, engine, DNNL_MEMORY_ALLOCATE) ||
		dnnl_memory_create(&b, dnnl_primitive_desc_query_md(how, dnnl_query_weights_md, 0), engine,
			DNNL_MEMORY_ALLOCATE) ||
		dnnl_memory_create(&c, &plain, engine, DNNL_MEMORY_ALLOCATE))
		return 0;
	fill(a);
	fill(b);
	for (int i = 0; i < 8; i++) {
		const dnnl_exec_arg_t args[] = {{DNNL_ARG_SRC, a}, {DNNL_ARG_WEIGHTS, b}, {DNNL_ARG_DST, c}};
		double t = bench_now();

		dnnl_primitive_execute(product, stream, 3, args);
		best = fmax(best, 2.0 * N * N * N / (bench_now() - t));
	}
	dnnl_memory_destroy(a);
	dnnl_memory_destroy(b);
	dnnl_memory_destroy(c);
	dnnl_primitive_destroy(product);
	dnnl_primitive_desc_destroy(how);
	dnnl_stream_destroy(stream);
	dnnl_engine_destroy(engine);
#endif
	return best;
}

/* Ours, of operands that are laid out, and rounded, as well; or oneDNN's of floats. */
static double product(const struct ops *ops, float *a, bool library)
{
	float *b = a + N * N, *c = b + N * N;
	struct mat w = {b, N, N, false, MAT_F32, NULL, NULL};
	double t = bench_now();

	if (library)
		dnnl_sgemm('N', 'N', N, N, N, 1, a, N, b, N, 0, c, N);
	else
		ops->linear_forward(ops, c, N, a, N, &w, NULL, N, false);
	return 2.0 * N * N * N / (bench_now() - t);
}

double bench_peak(const struct ops *ops)
{
	static double best;
	struct err err = ERR_INIT;
	float *a = mem_new_aligned((size_t)3 * N * N, sizeof *a, &err);

	if (!a)
		bench_die(&err);
	for (int64_t i = 0; i < 2 * N * N; i++)
		a[i] = number(i);
	for (int i = 0; i < 8; i++)
		best = fmax(best, product(ops, a, !ops_half(ops) && i % 2));
	free(a);
	if (ops_half(ops))
		best = fmax(best, library_half());
	return best;
}

double bench_bandwidth(void)
{
	enum { PART = 1 << 20, PARTS = 512 };
	static double best;
	struct err err = ERR_INIT;
	char *data = mem_new_aligned(PARTS, PART, &err);

	if (!data)
		bench_die(&err);
	for (int i = 0; i < 5; i++) {
		double t = bench_now();
		int found = 0;

#pragma omp parallel for reduction(+ : found)
		for (size_t p = 0; p < PARTS; p++) {
			if (i == 0)
				memset(data + p * PART, 2, PART);
			found += memchr(data + p * PART, 1, PART) != NULL;
		}
		best = i && !found ? fmax(best, (double)PARTS * PART / (bench_now() - t)) : best;
	}
	free(data);
	return best;
}

/* Bytes of a matrix and its scales. */
static double bytes_of(const struct mat *w)
{
	int64_t columns = mat_columns(w);
	size_t row = mat_row_size(w->type, columns) + (size_t)mat_row_blocks(w->type, columns) * sizeof(float);

	return (double)mat_rows(w) * (double)row;
}

void bench_weights(const struct model *m, double *count, double *bytes)
{
	*count = *bytes = 0;
	for (size_t i = 0; i < m->params.n; i++) {
		const struct param *p = &m->params.param[i];
		struct mat w;

		if (p->role == ROLE_PLACES || (p->role == ROLE_EMBED && !m->arch.tied))
			continue;
		w = p->role == ROLE_EMBED ? model_head(m) : model_param_mat(m, p);
		*count += (double)p->count;
		*bytes += p->rank == 2 ? bytes_of(&w) : (double)p->count * sizeof(float);
	}
}

struct bench_work bench_forward(const struct model *m, const struct example *e, int64_t n)
{
	const struct arch *a = &m->arch;
	double q = (double)(a->heads * a->head_dim), kv = (double)(a->kv_heads * a->head_dim);
	double layer = 2 * (double)a->hidden *
		       (2 * q + 2 * kv + (arch_gated(a) ? 3 : 2) * (double)a->inner),
	       count;
	struct bench_work w = {0};

	for (int64_t i = 0; i < n; i++)
		for (int s = 0; s <= e[i].k; s++) {
			double len = (double)(e[i].seg[s + 1] - e[i].seg[s]),
			       before = s ? (double)(e[i].seg[1] - e[i].seg[0]) : 0;
			double rows = s && len > 0 ? len - 1 : len;

			w.flops += (double)a->layers *
				   (rows * layer + 4 * q * rows * (before + (rows + 1) / 2));
			if (s)
				w.flops += 2 * (double)a->hidden * (double)a->vocab *
					   (len - (double)e[i].uncounted[s - 1]);
		}
	bench_weights(m, &count, &w.bytes);
	return w;
}

struct bench_work bench_training(const struct model *m, const struct example *e, int64_t n,
	const struct optimizer_options *o)
{
	struct bench_work w = bench_forward(m, e, n);
	double floats = (double)m->params.count * sizeof(float);

	w.flops *= 3;
	w.bytes = 2 * w.bytes + floats; /* the weights each way; the gradient */
	w.update = 3 * floats +
		   2 * (double)optimizer_memory(
			       o, &m->params); /* gradient; weights and memories, there and back */
	return w;
}

double bench_limit(const struct bench_work *w, double peak, double bandwidth)
{
	return fmax(w->flops / peak, w->bytes / bandwidth) + w->update / bandwidth;
}
