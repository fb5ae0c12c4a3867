/*
 * decode MODEL [KIND] BATCH...: times steps of so many sequences, each a token further, against the memory's bandwidth
 * and the matrix product's peak in float32, measured in turn with them, the best so far. One JSON object a batch on
 * stdout. KIND, before any of them: f32, the default; bf16, as lm-sample --dtype; int8 or nf4, as --quantize.
 *
 * A step reads each weight once, however many sequences there are: the model's bytes, as they are kept, over the
 * best step's time, is the share of bandwidth; 2 operations a weight and sequence the share of the peak.
 */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <oneapi/dnnl/dnnl.h>

#include "base/mem.h"
#include "model/decoder.h"

#define PROMPT 100
#define STEPS 24

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void die(const struct err *err)
{
	fprintf(stderr, "bench: %s\n", err->text);
	exit(1);
}

/* Bytes a second that memchr() reads of 512 MiB, in which it finds nothing, in all threads; the best of four. */
static double bandwidth(void)
{
	enum { PART = 1 << 20, PARTS = 512 };
	static char *data;
	struct err err = ERR_INIT;
	double best = 0;

	if (!data && !(data = mem_new_aligned(PARTS, PART, &err)))
		die(&err);
	for (int i = 0; i < 5; i++) {
		double t = now(), rate;
		int found = 0;

#pragma omp parallel for reduction(+ : found)
		for (size_t p = 0; p < PARTS; p++) {
			if (i == 0)
				memset(data + p * PART, 2, PART);
			found += memchr(data + p * PART, 1, PART) != NULL;
		}
		rate = found ? 0 : (double)PARTS * PART / (now() - t);
		best = i > 0 && rate > best ? rate : best;
	}
	return best;
}

static double peak(void)
{
	enum { N = 2048 };
	static float *a;
	struct err err = ERR_INIT;
	double best = 0;

	if (!a && !(a = mem_new_aligned(3 * N * N, sizeof *a, &err)))
		die(&err);
	for (int i = 0; i < 3 * N * N && best == 0; i++)
		a[i] = (float)(i % 13) * 0.01f;
	for (int i = 0; i < 3; i++) {
		double t = now(), rate;

		dnnl_sgemm('N', 'N', N, N, N, 1, a, N, a + N * N, N, 0, a + 2 * N * N, N);
		rate = 2.0 * N * N * N / (now() - t);
		best = rate > best ? rate : best;
	}
	return best;
}

/* Weights that a token is multiplied with, and the bytes in which they are kept. */
static void weights(const struct model *m, double *count, double *bytes)
{
	*count = *bytes = 0;
	for (size_t i = 0; i < m->params.n; i++) {
		const struct param *p = &m->params.param[i];
		struct mat w = p->role == ROLE_EMBED ? model_head(m) : p->rank == 2 ? model_param_mat(m, p) : (struct mat){.out = 0};
		int64_t columns = mat_columns(&w);

		if (p->role == ROLE_PLACES || (p->role == ROLE_EMBED && !m->arch.tied))
			continue;
		*count += (double)p->count;
		*bytes += p->rank == 2 ? (double)mat_rows(&w) * (double)(mat_row_size(w.type, columns) +
			(size_t)mat_row_blocks(w.type, columns) * sizeof(float)) : (double)p->count * sizeof(float);
	}
}

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
		die(&err);
	for (int64_t i = 0; i < n; i++) {
		for (int64_t p = 0; p < pages; p++)
			if (!(s->page[i * pages + p] = mem_new_aligned(decoder_page(d), sizeof(float), &err)))
				die(&err);
		for (int l = 0; l < PROMPT; l++)
			prompt[l] = (int32_t)((i + l * l) % 199);
		if (decoder_start(d, prompt, PROMPT, s->page + i * pages, &err))
			die(&err);
		s->past[i] = (struct past){s->page + i * pages, PROMPT};
	}
}

/* Seconds of the best step. */
static double run(struct sequences *s, struct decoder *d)
{
	struct err err = ERR_INIT;
	double best = 0;

	for (int i = 0; i < STEPS; i++) {
		double t = now();

		for (int64_t k = 0; k < s->n; k++) {
			s->token[k] = (int32_t)((i + k) % 199);
			s->past[k].len++;
		}
		if (decoder_next(d, s->token, s->past, s->n, &err))
			die(&err);
		for (int64_t k = 0, some; k < s->n; k += some) {
			some = s->n - k;
			decoder_next_logits(d, k, &some);
		}
		t = now() - t;
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

/* The best so far of both. */
static void measure(double *wide, double *top)
{
	double w = bandwidth(), t = peak();

	*wide = w > *wide ? w : *wide;
	*top = t > *top ? t : *top;
}

/* The model as a kind keeps it, and what multiplies it. */
static const struct ops *open_kind(struct model *m, const char *folder, const char *kind)
{
	bool half = !strcmp(kind, "bf16");
	enum model_use use = !strcmp(kind, "int8") ? MODEL_INT8 : !strcmp(kind, "nf4") ? MODEL_NF4 : MODEL_READ;
	const struct ops *ops = ops_find(half ? "half" : "cpu");
	struct err err = ERR_INIT;

	if (ops && (model_open(m, folder, use, &err) || (half && model_halve(m, &err))))
		die(&err);
	return ops;
}

int main(int argc, char **argv)
{
	bool named = argc > 2 && !strchr("0123456789", *argv[2]);
	const char *kind = named ? argv[2] : "f32";
	double count, bytes, wide = 0, top = 0;
	struct err err = ERR_INIT;
	const struct ops *ops;
	struct decoder *d;
	struct model m;

	if (argc < 3 + named)
		return 2;
	ops = open_kind(&m, argv[1], kind);
	if (!ops)
		return 1;
	d = decoder_new(&m, ops, DECODER_FORGET, &err);
	if (!d)
		die(&err);
	weights(&m, &count, &bytes);
	measure(&wide, &top);
	for (int i = 2 + named; i < argc; i++) {
		struct sequences s;
		double step;

		begin(&s, d, atoll(argv[i]));
		step = run(&s, d);
		measure(&wide, &top);
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
