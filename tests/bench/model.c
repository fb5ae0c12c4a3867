/*
 * model MODEL STREAM BATCH STEPS DTYPE [PROGRAM]: times ref-logp's and dpo-step's work, or that of one of them, on a
 * stream, against what the machine can do: the matrix product's peak and the memory's bandwidth, measured in the same
 * run behind each, since it takes memory of its own. One JSON object on stdout. Operations and bytes of a step are those
 * that must be done (tests/bench/support/bench.h); its share of the limit is the least time in which the machine could
 * do both over the time that was taken. Training takes the loss that the records allow: pairs, or rankings.
 */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/mem.h"
#include "cmd/cmd_batch.h"
#include "cmd/cmd_model.h"
#include "tests/bench/support/bench.h"

/* As the programs have it by default. */
#define READ_TOKENS 4096
#define TRAIN_TOKENS 2048

struct bench {
	struct model m;
	const struct ops *ops;
	struct prefstore *data;
	struct batch batch;
	int64_t n, steps;
	struct optimizer_options optimizer;
};

/* What one program's steps took, after one to warm up. */
struct times {
	struct bench_work work;
	double seconds, peak_rss;
	int64_t tokens;
};

static double peak, bandwidth;

static void measure_machine(const struct bench *b)
{
	peak = bench_peak(b->ops);
	bandwidth = bench_bandwidth();
}

/* Step -1 warms up. The peers take the same records for each of their steps. */
static void load(struct bench *b, int64_t step)
{
	struct err err = ERR_INIT;
	uint64_t first = (uint64_t)((step + 1) * b->n);

	batch_clear(&b->batch);
	for (uint64_t i = 0; i < (uint64_t)b->n; i++)
		if (batch_add(&b->batch, b->data, (first + i) % prefstore_records(b->data), 0,
			    false, &err))
			bench_die(&err);
}

static void note(struct bench *b, struct times *t, double seconds, const struct bench_work *w)
{
	t->seconds += seconds;
	t->work.flops += w->flops;
	t->work.bytes += w->bytes;
	t->work.update += w->update;
	for (int64_t i = 0; i < b->n; i++)
		t->tokens += b->batch.examples[i].seg[b->batch.examples[i].k + 1];
}

static double peak_rss(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)usage.ru_maxrss * 1024;
}

/* Micro-batches as ref-logp makes them. */
static void read_batch(struct bench *b, struct decoder *d, struct pack *p)
{
	struct err err = ERR_INIT;
	struct logp_row *rows;

	for (int64_t i = 0; i < b->n;) {
		pack_clear(p);
		do
			if (cmd_pack_record(p, &b->batch.recs[i++], &err))
				bench_die(&err);
		while (i < b->n && p->rows + pack_rows(b->batch.recs[i].seg, b->batch.recs[i].k) <=
					   READ_TOKENS);
		rows = mem_new((size_t)p->counted, sizeof *rows, &err);
		if (!rows || decoder_forward(d, p, rows, &err))
			bench_die(&err);
		free(rows);
	}
}

static void time_reading(struct bench *b, struct times *t)
{
	struct err err = ERR_INIT;
	struct pack p = PACK_INIT;
	struct decoder *d = decoder_new(&b->m, b->ops, DECODER_FORGET, &err);

	if (!d)
		bench_die(&err);
	for (int64_t i = -1; i < b->steps; i++) {
		double start;

		load(b, i);
		start = bench_now();
		read_batch(b, d, &p);
		if (i >= 0) {
			struct bench_work w = bench_forward(&b->m, b->batch.examples, b->n);

			note(b, t, bench_now() - start, &w);
		}
	}
	pack_release(&p);
	decoder_free(d);
	t->peak_rss = peak_rss();
}

/* Room for any micro-batch, as dpo-step makes it. */
static int reserve(const struct bench *b, struct trainer *t, struct err *err)
{
	int64_t rows = TRAIN_TOKENS, longest = 0;

	for (uint64_t i = 0; i < prefstore_records(b->data); i++) {
		struct pref_rec rec;

		if (prefstore_get(b->data, i, &rec, err))
			return -1;
		if (pack_rows(rec.seg, rec.k) > rows)
			rows = pack_rows(rec.seg, rec.k);
		for (int c = 0; c < rec.k; c++)
			if (pref_len(&rec, 0) + pref_len(&rec, c + 1) > longest)
				longest = pref_len(&rec, 0) + pref_len(&rec, c + 1);
	}
	return trainer_reserve(t, rows, rows, longest, err);
}

static void time_training(struct bench *b, struct times *t)
{
	struct err err = ERR_INIT;
	struct trainer_options o = {
		.clip = 1, .optimizer = b->optimizer, .batch_tokens = TRAIN_TOKENS};
	struct judge_step s;
	struct trainer *trainer = NULL;

	load(b, -1);
	if (loss_parse(&o.loss, b->batch.examples[0].k == 2 ? "sigmoid" : "plackett_luce", &err) ||
		loss_settle(&o.loss, &err) || !(trainer = trainer_new(&b->m, b->ops, &o, &err)) ||
		reserve(b, trainer, &err))
		bench_die(&err);
	for (int64_t i = -1; i < b->steps; i++) {
		double start;

		load(b, i);
		start = bench_now();
		if (trainer_step(trainer, b->batch.examples, b->n, 1e-6, &s, &err))
			bench_die(&err);
		if (i >= 0) {
			struct bench_work w =
				bench_training(&b->m, b->batch.examples, b->n, &o.optimizer);

			note(b, t, bench_now() - start, &w);
		}
	}
	trainer_free(trainer);
	t->peak_rss = peak_rss();
}

static void print(const struct bench *b, const char *name, const struct times *t)
{
	double steps = (double)b->steps, bytes = t->work.bytes + t->work.update;

	printf(",\"%s\":{\"tokens_per_second\":%.1f,\"pairs_per_second\":%.3f,\"share_of_peak\":%."
	       "3f,"
	       "\"share_of_bandwidth\":%.3f,\"share_of_limit\":%.3f,\"step_seconds\":%.4f,\"step_"
	       "gflop\":%.2f,"
	       "\"step_gbyte\":%.4f,\"peak_rss_mib\":%.0f,\"bytes_per_parameter\":%.1f}",
		name, (double)t->tokens / t->seconds, (double)b->n * steps / t->seconds,
		t->work.flops / t->seconds / peak, bytes / t->seconds / bandwidth,
		bench_limit(&t->work, peak, bandwidth) / t->seconds, t->seconds / steps,
		t->work.flops / steps / 1e9, bytes / steps / 1e9, t->peak_rss / (1 << 20),
		t->peak_rss / (double)b->m.params.count);
}

int main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	struct bench b = {.batch = BATCH_INIT, .optimizer = optimizer_defaults(OPTIMIZER_ADAMW)};
	struct times read = {0}, train = {0};
	bool reads = argc < 7 || !strcmp(argv[6], "ref-logp"),
	     trains = argc < 7 || !strcmp(argv[6], "dpo-step");

	if (argc < 6 || argc > 7 || !(reads || trains))
		return 2;
	b.ops = ops_find(strcmp(argv[5], "bf16") ? "cpu" : "half");
	if (!b.ops)
		return 3;
	b.n = atoll(argv[3]);
	b.steps = atoll(argv[4]);
	b.data = prefstore_open(argv + 2, 1, ".", 0, &err);
	if (!b.data || model_open(&b.m, argv[1], trains ? MODEL_TRAIN : MODEL_READ, &err))
		bench_die(&err);
	if (reads)
		time_reading(&b, &read);
	if (reads && trains)
		measure_machine(&b);
	if (trains)
		time_training(&b, &train);
	measure_machine(&b);
	printf("{\"threads\":%d,\"backend\":\"%s\",\"parameters\":%zu,\"batch\":%lld,\"peak_"
	       "gflops\":%.1f,"
	       "\"bandwidth_gb\":%.1f",
		omp_get_max_threads(), b.ops->name, b.m.params.count, (long long)b.n, peak / 1e9,
		bandwidth / 1e9);
	if (reads)
		print(&b, "ref_logp", &read);
	if (trains)
		print(&b, "dpo_step", &train);
	printf("}\n");
	prefstore_close(b.data);
	batch_release(&b.batch);
	model_release(&b.m);
	return 0;
}
