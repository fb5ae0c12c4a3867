/*
 * Continuing prompts: samples do not depend on batch, threads, memory or neighbours; their log-probs are those of
 * whole sequences; they end where they should, and come out in order.
 */
#include "tests/unit/support/check.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "model/decoder.h"
#include "model/generate.h"
#include "tests/unit/support/tiny.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

#define LLAMA \
	"{\"model_type\":\"llama\",\"vocab_size\":43,\"hidden_size\":40,\"intermediate_size\":77,\"num_hidden_layers\":2," \
	"\"num_attention_heads\":4,\"num_key_value_heads\":2,\"max_position_embeddings\":180,\"initializer_range\":0.2}"

static const int64_t lengths[] = {5, 1, 64, 130, 63, 9, 128, 65, 2, 177, 179};

struct memory {
	size_t given, taken;
	size_t prompts;
	int32_t token[COUNT(lengths)][200];
	/* All that came out, one behind the other. */
	int32_t out[COUNT(lengths) * 7 * 400];
	float tlogp[COUNT(lengths) * 7 * 200];
	enum generate_end end[COUNT(lengths) * 7];
	size_t outs, tlogps, ends;
	const struct model *m;
};

static int next(void *context, struct generate_prompt *p, struct err *err)
{
	struct memory *t = context;
	size_t i = t->given;

	(void)err;
	if (i == t->prompts)
		return 0;
	t->given++;
	for (int64_t l = 0; l < lengths[i]; l++)
		t->token[i][l] = (int32_t)((l * l + 3 * (int64_t)i + l / 7) % 19);
	*p = (struct generate_prompt){1000 + i, t->token[i], lengths[i], &t->token[i]};
	return 1;
}

static int stop_at_7(void *context, int64_t seat, const int32_t *token, int64_t prompt, int64_t n, struct err *err)
{
	(void)context, (void)err;
	assert_in_range(seat, 0, 99);
	assert_true(prompt < n);
	return token[n - 1] == 7;
}

static int take(void *context, const struct generated *g, struct err *err)
{
	struct memory *t = context;
	size_t i = t->taken++;
	int64_t at = 0;

	(void)err;
	assert_int_equal(g->id, 1000 + i);
	assert_ptr_equal(g->tag, &t->token[i]);
	assert_int_equal(g->seg[0], 0);
	assert_int_equal(g->seg[1], lengths[i]);
	assert_memory_equal(g->token, t->token[i], sizeof *g->token * (size_t)lengths[i]);
	for (int c = 0; c < g->k; c++) {
		double sum = 0;

		for (int64_t l = g->seg[c + 1]; l < g->seg[c + 2]; l++) {
			t->out[t->outs++] = g->token[l];
			t->tlogp[t->tlogps++] = g->tlogp[at];
			sum += g->tlogp[at++];
		}
		t->out[t->outs++] = -1;
		assert_true(fabs(sum - g->logp[c]) < 1e-5);
		t->end[t->ends++] = g->end[c];
	}
	return 0;
}

/* The log-probs that came out are those of a pass over the whole sequence. */
static int take_and_check(void *context, const struct generated *g, struct err *err)
{
	struct memory *t = context;
	struct decoder *d = decoder_new(t->m, ops_find("reference"), DECODER_NEXT, err);
	int64_t *uncounted = calloc((size_t)g->k, sizeof *uncounted);
	struct pack p = PACK_INIT;
	struct logp_row *rows;
	float *want;

	assert_true(d && uncounted);
	assert_int_equal(pack_add(&p, g->token, g->seg, g->k, uncounted, err), 0);
	rows = calloc((size_t)p.counted, sizeof *rows);
	want = calloc((size_t)p.counted, sizeof *want);
	assert_true(rows && want);
	assert_int_equal(decoder_forward(d, &p, rows, err), 0);
	for (int64_t i = 0; i < p.counted; i++)
		want[i] = rows[i].logp;
	check_close("tlogp", g->tlogp, want, p.counted, 1e-5);
	for (int c = 0; c < g->k; c++) {
		int32_t last = g->token[g->seg[c + 2] - 1];
		int64_t n = g->seg[c + 2] - g->seg[c + 1], room = 180 - g->seg[1];

		assert_int_equal(g->end[c],
			last == 3 || last == 11 ? GENERATE_EOS : last == 7 ? GENERATE_STOP : GENERATE_LENGTH);
		if (g->end[c] == GENERATE_LENGTH)
			assert_int_equal(n, room < 70 ? room : 70);
		for (int64_t l = g->seg[c + 1]; l < g->seg[c + 2] - 1; l++)
			assert_true(g->token[l] != 3 && g->token[l] != 11 && g->token[l] != 7);
	}
	decoder_free(d);
	pack_release(&p);
	free(uncounted), free(rows), free(want);
	return take(context, g, err);
}

static const int32_t eos[] = {3, 11};

static struct generate_options options_of(const struct model *m, struct memory *t)
{
	*t = (struct memory){.m = m, .prompts = COUNT(lengths)};
	return (struct generate_options){.model = m, .ops = ops_find("cpu"), .rules = SAMPLE_RULES_INIT, .seed = 5, .k = 3,
		.max_new = 70, .batch = 4, .eos = eos, .eoses = 2, .memory = (size_t)1 << 30, .next = next, .stop = stop_at_7,
		.take = take, .context = t};
}

static void samples_depend_on_nothing_else(void **state)
{
	static struct memory first, other;
	struct generate_totals totals, its;
	struct err err = ERR_INIT;
	struct generate_options o;
	struct model m;

	(void)state;
	tiny_init(&m, LLAMA, 1);
	o = options_of(&m, &first);
	o.take = take_and_check;
	omp_set_num_threads(1);
	if (generate(&o, &totals, &err))
		fail_msg("%s", err.text);
	assert_int_equal(first.taken, COUNT(lengths));
	assert_int_equal(totals.prompts, COUNT(lengths));
	assert_int_equal(totals.prompt_tokens, 5 + 1 + 64 + 130 + 63 + 9 + 128 + 65 + 2 + 177 + 179);
	assert_int_equal(totals.tokens, first.tlogps);
	assert_int_equal(totals.end[0] + totals.end[1] + totals.end[2], 3 * COUNT(lengths));
	assert_true(totals.end[0] && totals.end[1] && totals.end[2]);
	for (int i = 0; i < 6; i++) {
		o = options_of(&m, &other);
		o.batch = (const int64_t[]){1, 2, 3, 8, 100, 8}[i];
		/* The largest prompt takes 3 pages, a sample of it one more: with just as many, they come one by one. */
		o.memory = generate_memory_of(&o, 180) * (i == 5 ? 3 : 100) / (i == 5 ? 2 : 1);
		omp_set_num_threads(1 + i % 3);
		if (generate(&o, &its, &err))
			fail_msg("%s", err.text);
		omp_set_num_threads(1);
		assert_int_equal(other.outs, first.outs);
		assert_memory_equal(other.out, first.out, sizeof *first.out * first.outs);
		assert_memory_equal(other.tlogp, first.tlogp, sizeof *first.tlogp * first.tlogps);
		assert_memory_equal(other.end, first.end, sizeof *first.end * first.ends);
		assert_int_equal(its.tokens, totals.tokens);
		assert_true((its.steps < totals.steps) == (o.batch > 4) || i == 5);
	}
	/* Another seed, other samples; the prompts' numbers, too, tell them apart. */
	o = options_of(&m, &other);
	o.seed = 6;
	assert_int_equal(generate(&o, &its, &err), 0);
	assert_true(other.outs != first.outs || memcmp(other.out, first.out, sizeof *first.out * first.outs));
	model_release(&m);
}

/* Without chance, each token is the likeliest; all samples are alike. */
static void greedy(void **state)
{
	static struct memory t;
	struct generate_totals totals;
	struct err err = ERR_INIT;
	struct generate_options o;
	struct model m;
	size_t at = 0;

	(void)state;
	tiny_init(&m, LLAMA, 2);
	o = options_of(&m, &t);
	o.rules.temperature = 0;
	o.k = 2;
	o.max_new = 9;
	assert_int_equal(generate(&o, &totals, &err), 0);
	for (size_t i = 0; i < COUNT(lengths); i++) {
		size_t n = 0;

		while (t.out[at + n] != -1)
			n++;
		assert_in_range(n, 1, 9);
		assert_memory_equal(t.out + at, t.out + at + n + 1, sizeof *t.out * (n + 1));
		at += 2 * (n + 1);
	}
	for (size_t i = 0; i < t.tlogps; i++)
		assert_true(t.tlogp[i] >= -log(43));
	model_release(&m);
}

/* What a model at odds with itself, or memory, does not allow. */
static void errors(void **state)
{
	static struct memory t;
	struct generate_totals totals;
	struct err err = ERR_INIT;
	struct generate_options o;
	struct model m;

	(void)state;
	tiny_init(&m, LLAMA, 1);
	o = options_of(&m, &t);
	o.memory = generate_memory_of(&o, 64) * 3; /* one page less than a prompt of 130 tokens and a sample need */
	assert_int_equal(generate(&o, &totals, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	assert_string_equal(err.text, "prompt 00000000000003eb: 180 tokens need 0.08 MiB for keys and values, there are 0.06");
	o = options_of(&m, &t);
	m.arch.positions = 130;
	assert_int_equal(generate(&o, &totals, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	assert_string_equal(err.text, "prompt 00000000000003eb: a prompt of 130 tokens; the model has 130 positions");
	m.arch.positions = 180;
	for (size_t i = 0; i < m.params.count; i++)
		m.weights[i] = NAN;
	o = options_of(&m, &t);
	assert_int_equal(generate(&o, &totals, &err), -1);
	assert_int_equal(err.code, ERR_FAILED);
	assert_string_equal(err.text, "prompt 00000000000003e8: the log-prob of a token is nan");
	model_release(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(samples_depend_on_nothing_else),
		cmocka_unit_test(greedy),
		cmocka_unit_test(errors),
	};

	return cmocka_run_group_tests(tests, tiny_open, tiny_close);
}
