/*
 * model MODEL STREAM BATCH STEPS DTYPE: times ref-logp's and dpo-step's work on a stream with a log-prob column,
 * against the machine's matrix-product peak measured in the same run, before, between and after. One JSON
 * object on stdout.
 *
 * Floating-point operations are those that must be done: a prompt counted once, the head on counted tokens
 * only, no recomputation; backward twice forward. Attention: 4 a key that a query sees, feature and head.
 */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <oneapi/dnnl/dnnl.h>

#include "cmd/cmd_batch.h"
#include "cmd/cmd_model.h"

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* The best product of these operations at a large shape, all threads: FLOP a second. For f32 that is oneDNN's own. */
static double peak(const struct ops *ops)
{
	enum { N = 3072 };
	static float *a, *b, *c;
	struct mat w = {NULL, N, N, false, MAT_BF16, NULL};
	double best = 0;

	if (!a) {
		a = aligned_alloc(64, sizeof *a * N * N);
		b = aligned_alloc(64, sizeof *b * N * N);
		c = aligned_alloc(64, sizeof *c * N * N);
		for (int i = 0; a && b && i < N * N; i++)
			a[i] = b[i] = (float)(i % 13) * 0.01f;
	}
	w.data = b;
	for (int i = 0; a && b && c && i < (ops->half ? 8 : 4); i++) {
		double t = now(), rate;

		if (ops->half)
			ops->linear_forward(ops, c, N, a, N, &w, NULL, N, false);
		else
			dnnl_sgemm('N', 'N', N, N, N, 1, a, N, b, N, 0, c, N);
		rate = 2.0 * N * N * N / (now() - t);
		best = rate > best ? rate : best;
	}
	return best;
}

static double forward_flops(const struct model *m, const struct example *e, int64_t n)
{
	const struct arch *a = &m->arch;
	double q = (double)(a->heads * a->head_dim), kv = (double)(a->kv_heads * a->head_dim);
	double layer = 2 * (double)a->hidden * (2 * q + 2 * kv + (arch_gated(a) ? 3 : 2) * (double)a->inner), flops = 0;

	for (int64_t i = 0; i < n; i++)
		for (int s = 0; s <= e[i].k; s++) {
			double len = (double)(e[i].seg[s + 1] - e[i].seg[s]), before = s ? (double)(e[i].seg[1] - e[i].seg[0]) : 0;
			double rows = s && len > 0 ? len - 1 : len;

			flops += (double)a->layers * (rows * layer + 4 * q * rows * (before + (rows + 1) / 2));
			if (s)
				flops += 2 * (double)a->hidden * (double)a->vocab * (len - (double)e[i].uncounted[s - 1]);
		}
	return flops;
}

static void die(const struct err *err)
{
	fprintf(stderr, "bench: %s\n", err->text);
	exit(1);
}

int main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	struct batch b = BATCH_INIT;
	struct trainer_options o = {.clip = 1, .optimizer = optimizer_defaults(OPTIMIZER_ADAMW), .batch_tokens = 2048};
	const struct ops *ops;
	struct judge_step s;
	struct prefstore *data;
	struct trainer *t;
	struct decoder *d;
	struct model m;
	struct rusage usage;
	double flops = 0, read = 0, train = 0, start, top[3];
	int64_t batch, steps, tokens = 0, pairs;

	if (argc != 6)
		return 2;
	ops = ops_find(strcmp(argv[5], "bf16") ? "cpu" : "half");
	if (!ops)
		return 3;
	batch = atoll(argv[3]);
	steps = atoll(argv[4]);
	data = prefstore_open(argv + 2, 1, ".", 0, &err);
	if (loss_parse(&o.loss, "sigmoid", &err) || loss_settle(&o.loss, &err))
		die(&err);
	if (!data || model_open(&m, argv[1], MODEL_TRAIN, &err))
		die(&err);
	top[0] = peak(ops);
	d = decoder_new(&m, ops, DECODER_FORGET, &err);
	pairs = batch * steps;
	for (int64_t i = -1; d && i < steps; i++) { /* step -1 warms up */
		struct pack p = PACK_INIT;
		struct logp_row *rows;

		batch_clear(&b);
		for (int64_t j = 0; j < batch; j++)
			if (batch_add(&b, data, (uint64_t)((i < 0 ? 0 : i) * batch + j) % prefstore_records(data), 0, false,
				    &err))
				die(&err);
		start = now();
		for (int64_t j = 0; j < batch; j++)
			if (cmd_pack_record(&p, &b.recs[j], &err))
				die(&err);
		rows = calloc((size_t)p.counted, sizeof *rows);
		if (!rows || decoder_forward(d, &p, rows, &err))
			die(&err);
		if (i >= 0) {
			read += now() - start;
			flops += forward_flops(&m, b.examples, batch);
			for (int64_t j = 0; j < batch; j++)
				tokens += b.examples[j].seg[3] - b.examples[j].seg[0];
		}
		free(rows);
		pack_release(&p);
	}
	decoder_free(d);
	top[1] = peak(ops);
	t = trainer_new(&m, ops, &o, &err);
	for (int64_t i = -1; t && i < steps; i++) {
		batch_clear(&b);
		for (int64_t j = 0; j < batch; j++)
			if (batch_add(&b, data, (uint64_t)((i < 0 ? 0 : i) * batch + j) % prefstore_records(data), 0, false,
				    &err))
				die(&err);
		start = now();
		if (trainer_step(t, b.examples, batch, 1e-6, &s, &err))
			die(&err);
		if (i >= 0)
			train += now() - start;
	}
	if (!t)
		die(&err);
	top[2] = peak(ops);
	for (int i = 1; i < 3; i++)
		top[0] = top[i] > top[0] ? top[i] : top[0];
	getrusage(RUSAGE_SELF, &usage);
	printf("{\"threads\":%d,\"backend\":\"%s\",\"parameters\":%zu,\"batch\":%lld,\"peak_gflops\":%.1f,"
	       "\"ref_logp\":{\"tokens_per_second\":%.1f,\"pairs_per_second\":%.3f,\"share_of_peak\":%.3f},"
	       "\"dpo_step\":{\"tokens_per_second\":%.1f,\"pairs_per_second\":%.3f,\"share_of_peak\":%.3f,"
	       "\"peak_rss_mib\":%.0f,\"bytes_per_parameter\":%.1f}}\n",
		omp_get_max_threads(), ops->name, m.params.count, (long long)batch, top[0] / 1e9,
		(double)tokens / read, (double)pairs / read, flops / read / top[0], (double)tokens / train,
		(double)pairs / train, 3 * flops / train / top[0], (double)usage.ru_maxrss / 1024,
		(double)usage.ru_maxrss * 1024 / (double)m.params.count);
	trainer_free(t);
	prefstore_close(data);
	batch_release(&b);
	model_release(&m);
	return 0;
}
