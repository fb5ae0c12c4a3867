#include "tests/bench/support/bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <oneapi/dnnl/dnnl.h>

#include "base/mem.h"

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

double bench_peak(const struct ops *ops)
{
	enum { N = 3072 };
	static double best;
	struct err err = ERR_INIT;
	float *a = mem_new_aligned((size_t)3 * N * N, sizeof *a, &err), *b = a + N * N,
	      *c = b + N * N;
	struct mat w = {b, N, N, false, MAT_BF16, NULL};

	if (!a)
		bench_die(&err);
	for (int i = 0; i < 2 * N * N; i++)
		a[i] = (float)(i % 13) * 0.01f;
	for (int i = 0; i < (ops->half ? 8 : 4); i++) {
		double t = bench_now();

		if (ops->half)
			ops->linear_forward(ops, c, N, a, N, &w, NULL, N, false);
		else
			dnnl_sgemm('N', 'N', N, N, N, 1, a, N, b, N, 0, c, N);
		best = fmax(best, 2.0 * N * N * N / (bench_now() - t));
	}
	free(a);
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
