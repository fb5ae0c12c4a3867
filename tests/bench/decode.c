/*
 * decode MODEL [KIND] BATCH...: times steps of so many sequences, each a token further, against the memory's bandwidth
 * and the peak of the kind's matrix products, measured in turn with them, the best so far. One JSON object a batch on
 * stdout. KIND, before any of them: f32, the default; bf16, as lm-sample --dtype; int8 or nf4, as --quantize.
 *
 * A step reads each weight once, however many sequences there are: the model's bytes, as they are kept, over the
 * best step's time, is the share of bandwidth; 2 operations a weight and sequence the share of the peak.
 */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/decoder.h"
#include "tests/bench/support/bench.h"

#define PROMPT 100
#define STEPS 24

struct sequences {
	int64_t n;
	int32_t *token;
	struct past *past;
	float **page;
};

static void begin(struct sequences *s, struct decoder *d, int64_t n)
{
	int64_t pages = (PROMPT + STEPS + PAST_PAGE - 1) / PAST_PAGE;
	struct err err = ERR_INIT;
	int32_t prompt[PROMPT];

	*s = (struct sequences){n, mem_new((size_t)n, sizeof *s->token, &err), mem_new((size_t)n, sizeof *s->past, &err),
		mem_new((size_t)(n * pages), sizeof *s->page, &err)};
	if (!s->token || !s->past || !s->page)
		bench_die(&err);
	for (int64_t i = 0; i < n; i++) {
		for (int64_t p = 0; p < pages; p++)
			if (!(s->page[i * pages + p] = mem_new_aligned(decoder_page(d), sizeof(float), &err)))
				bench_die(&err);
		for (int l = 0; l < PROMPT; l++)
			prompt[l] = (int32_t)((i + l * l) % 199);
		if (decoder_start(d, prompt, PROMPT, s->page + i * pages, &err))
			bench_die(&err);
		s->past[i] = (struct past){s->page + i * pages, PROMPT};
	}
}

/* Seconds of the best step. */
static double run(struct sequences *s, struct decoder *d)
{
	struct err err = ERR_INIT;
	double best = 0;

	for (int i = 0; i < STEPS; i++) {
		double t = bench_now();

		for (int64_t k = 0; k < s->n; k++) {
			s->token[k] = (int32_t)((i + k) % 199);
			s->past[k].len++;
		}
		if (decoder_next(d, s->token, s->past, s->n, &err))
			bench_die(&err);
		for (int64_t k = 0, some; k < s->n; k += some) {
			some = s->n - k;
			decoder_next_logits(d, k, &some);
		}
		t = bench_now() - t;
		best = best == 0 || t < best ? t : best;
	}
	return best;
}

static void end(struct sequences *s)
{
	for (int64_t i = 0; i < s->n * ((PROMPT + STEPS + PAST_PAGE - 1) / PAST_PAGE); i++)
		free(s->page[i]);
	free(s->page);
	free(s->past);
	free(s->token);
}

/* The model as a kind keeps it, and what multiplies it. */
static const struct ops *open_kind(struct model *m, const char *folder, const char *kind)
{
	bool half = !strcmp(kind, "bf16");
	enum model_use use = !strcmp(kind, "int8") ? MODEL_INT8 : !strcmp(kind, "nf4") ? MODEL_NF4 : MODEL_READ;
	const struct ops *ops = ops_find(half ? "half" : "cpu");
	struct err err = ERR_INIT;

	if (ops && (model_open(m, folder, use, &err) || (half && model_halve(m, &err))))
		bench_die(&err);
	return ops;
}

int main(int argc, char **argv)
{
	bool named = argc > 2 && !strchr("0123456789", *argv[2]);
	const char *kind = named ? argv[2] : "f32";
	double count, bytes, wide, top;
	struct err err = ERR_INIT;
	const struct ops *ops;
	struct decoder *d;
	struct model m;

	if (argc < 3 + named)
		return 2;
	ops = open_kind(&m, argv[1], kind);
	if (!ops)
		return 1;
	d = decoder_new(&m, ops, DECODER_NEXT, &err);
	if (!d)
		bench_die(&err);
	bench_weights(&m, &count, &bytes);
	bench_peak(ops);
	bench_bandwidth();
	for (int i = 2 + named; i < argc; i++) {
		struct sequences s;
		double step;

		begin(&s, d, atoll(argv[i]));
		step = run(&s, d);
		top = bench_peak(ops);
		wide = bench_bandwidth();
		printf("{\"threads\":%d,\"backend\":\"%s\",\"kind\":\"%s\",\"batch\":%lld,\"tokens_per_second\":%.1f,"
		       "\"bandwidth_gb\":%.1f,\"share_of_bandwidth\":%.3f,\"peak_gflops\":%.1f,\"share_of_peak\":%.3f}\n",
			omp_get_max_threads(), ops->name, kind, (long long)s.n, (double)s.n / step, wide / 1e9, bytes / step / wide,
			top / 1e9, 2 * count * (double)s.n / step / top);
		fflush(stdout);
		end(&s);
	}
	decoder_free(d);
	model_release(&m);
	return 0;
}
