/*
 * The decoder of every family: its whole gradient against central differences, the fast backends against the
 * reference, prompts shared, threads, parts of rows, memory.
 */
#include "tests/unit/support/check.h"

#include <malloc.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/decoder.h"
#include "tests/unit/support/tiny.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

/* Records of every kind: k = 2, 1 and 3, without a prompt, completions of one token, tokens that do not count. */
static const int32_t words[] = {
	1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 0, 3, 1, 4, 1, 5, 9, 2, 6, 5};
static const struct {
	int k;
	int64_t seg[5], uncounted[3];
} records[] = {
	{2, {0, 3, 6, 8}, {0, 0}},
	{1, {8, 9, 13}, {0}},
	{3, {13, 15, 16, 19, 21}, {0, 1, 0}},
	{2, {21, 21, 25, 27}, {1, 1}},
	{1, {5, 14, 15}, {0}},
};

static void add_records(struct pack *p)
{
	struct err err = ERR_INIT;

	for (size_t i = 0; i < COUNT(records); i++)
		assert_int_equal(pack_add(p, words, records[i].seg, records[i].k, records[i].uncounted, &err), 0);
}

struct pass {
	struct model *m;
	struct decoder *d;
	struct pack *pack;
	struct logp_row *rows;
	const float *weights; /* [pack->counted] of the log-probs in a sum */
};

static double pass_value(void *arg)
{
	struct pass *c = arg;
	struct err err = ERR_INIT;
	double sum = 0;

	if (decoder_forward(c->d, c->pack, c->rows, &err))
		fail_msg("%s", err.text);
	for (int64_t i = 0; i < c->pack->counted; i++)
		sum += (double)c->weights[i] * c->rows[i].logp;
	return sum;
}

/* Forward and backward: rows into c->rows; the gradient, for free(). */
static float *pass_gradient(struct pass *c)
{
	float *grads = calloc(c->m->params.count, sizeof *grads);

	assert_non_null(grads);
	pass_value(c);
	decoder_backward(c->d, c->pack, c->rows, c->weights, grads, NULL);
	return grads;
}

static void open_pass(struct pass *c, struct model *m, const char *ops, struct pack *p)
{
	struct err err = ERR_INIT;

	*c = (struct pass){m, decoder_new(m, ops_find(ops), DECODER_KEEP, &err), p,
		calloc((size_t)p->counted + 1, sizeof *c->rows), check_random(5, p->counted, 1)};
	assert_true(c->d && c->rows);
}

static void close_pass(struct pass *c)
{
	decoder_free(c->d);
	free(c->rows);
	free((void *)(uintptr_t)c->weights);
}

static float *logps(const struct pass *c)
{
	float *x = calloc((size_t)c->pack->counted + 1, sizeof *x);

	assert_non_null(x);
	for (int64_t i = 0; i < c->pack->counted; i++)
		x[i] = c->rows[i].logp;
	return x;
}

static void whole_gradient(void **state)
{
	(void)state;
	omp_set_num_threads(1);
	for (size_t i = 0; i < tiny_configs; i++) {
		struct pack p = PACK_INIT;
		struct model m;
		struct pass c;
		float *grads;

		tiny_init_rough(&m, tiny_config[i], i);
		add_records(&p);
		open_pass(&c, &m, "reference", &p);
		grads = pass_gradient(&c);
		for (size_t k = 0; k < m.params.n; k++) {
			const struct param *q = &m.params.param[k];
			char name[200];

			snprintf(name, sizeof name, "model %d, %s", (int)i, q->name);
			check_gradient(name, pass_value, &c, m.weights + q->offset, grads + q->offset,
				(int64_t)q->count, 5e-3);
		}
		free(grads);
		close_pass(&c);
		pack_release(&p);
		model_release(&m);
	}
}

static void gradients_are_added(void **state)
{
	struct pack p = PACK_INIT;
	struct model m;
	struct pass c;
	float *once, *twice;

	(void)state;
	tiny_init_rough(&m, tiny_config[2], 1);
	add_records(&p);
	open_pass(&c, &m, "cpu", &p);
	once = pass_gradient(&c);
	twice = pass_gradient(&c);
	pass_value(&c);
	decoder_backward(c.d, &p, c.rows, c.weights, twice, NULL);
	for (size_t i = 0; i < m.params.count; i++)
		twice[i] /= 2;
	check_close("twice", twice, once, (int64_t)m.params.count, 1e-6);
	free(once);
	free(twice);
	close_pass(&c);
	pack_release(&p);
	model_release(&m);
}

static const char *const odd[] = {
	"{\"model_type\":\"gpt2\",\"vocab_size\":307,\"n_embd\":36,\"n_layer\":3,\"n_head\":3,\"n_positions\":80,"
	"\"initializer_range\":0.15}",
	"{\"model_type\":\"llama\",\"vocab_size\":307,\"hidden_size\":40,\"intermediate_size\":77,\"num_hidden_layers\":3,"
	"\"num_attention_heads\":4,\"num_key_value_heads\":2,\"head_dim\":18,\"attention_bias\":true,"
	"\"initializer_range\":0.15}",
	"{\"model_type\":\"gemma2\",\"vocab_size\":307,\"hidden_size\":40,\"intermediate_size\":77,\"num_hidden_layers\":3,"
	"\"num_attention_heads\":4,\"num_key_value_heads\":1,\"head_dim\":18,\"sliding_window\":11,"
	"\"attn_logit_softcapping\":3,\"final_logit_softcapping\":4,\"initializer_range\":0.1}",
	"{\"model_type\":\"phi3\",\"vocab_size\":307,\"hidden_size\":40,\"intermediate_size\":77,\"num_hidden_layers\":3,"
	"\"num_attention_heads\":4,\"num_key_value_heads\":2,\"original_max_position_embeddings\":30,\"sliding_window\":17,"
	"\"max_position_embeddings\":99,\"rope_scaling\":{\"type\":\"longrope\",\"short_factor\":[1,1.5,2,3,3],"
	"\"long_factor\":[2,3,4,5,6]},\"initializer_range\":0.15}",
	"{\"model_type\":\"llama\",\"vocab_size\":307,\"hidden_size\":40,\"intermediate_size\":77,\"num_hidden_layers\":3,"
	"\"num_attention_heads\":4,\"max_position_embeddings\":26,\"rope_scaling\":{\"type\":\"dynamic\",\"factor\":2},"
	"\"initializer_range\":0.15}",
	"{\"model_type\":\"gpt_neox\",\"vocab_size\":307,\"hidden_size\":48,\"intermediate_size\":77,\"num_hidden_layers\":3,"
	"\"num_attention_heads\":3,\"initializer_range\":0.15}",
};

/* n random records of up to 79 tokens, for free(). */
static void add_random_records(struct pack *p, int n, int vocab, uint64_t seed)
{
	struct err err = ERR_INIT;
	int32_t tokens[400];

	for (int i = 0; i < n; i++) {
		float *r = check_random(seed + (uint64_t)i, 405, 1000);
		int64_t seg[5] = {0}, none[3] = {0};
		int k = i % 3 + 1;

		for (int t = 0; t < 400; t++)
			tokens[t] = abs((int)r[t]) % vocab;
		for (int s = 0; s <= k; s++)
			seg[s + 1] = seg[s] + 1 + abs((int)r[400 + s]) % 39;
		assert_int_equal(pack_add(p, tokens, seg, k, none, &err), 0);
		free(r);
	}
}

static void check_gradients(const struct model *m, const float *got, const float *want)
{
	for (size_t k = 0; k < m->params.n; k++) {
		const struct param *q = &m->params.param[k];

		check_close(q->name, got + q->offset, want + q->offset, (int64_t)q->count, 5e-5);
	}
}

static void backends_agree(void **state)
{
	(void)state;
	for (size_t i = 0; i < tiny_configs + COUNT(odd); i++) {
		bool small = i < tiny_configs;
		struct pack p = PACK_INIT;
		struct model m;
		struct pass ref, cpu;
		float *want, *got, *want_logps, *got_logps;
		char what[40];

		tiny_init_rough(&m, small ? tiny_config[i] : odd[i - tiny_configs], i);
		if (small)
			add_records(&p);
		else
			add_random_records(&p, 9, 307, i);
		open_pass(&ref, &m, "reference", &p);
		open_pass(&cpu, &m, "cpu", &p);
		want = pass_gradient(&ref);
		got = pass_gradient(&cpu);
		want_logps = logps(&ref);
		got_logps = logps(&cpu);
		snprintf(what, sizeof what, "model %d, log-probs", (int)i);
		check_close(what, got_logps, want_logps, p.counted, 2e-6);
		check_gradients(&m, got, want);
		free(want);
		free(got);
		free(want_logps);
		free(got_logps);
		close_pass(&ref);
		close_pass(&cpu);
		pack_release(&p);
		model_release(&m);
	}
}

/* Each completion behind its own copy of the prompt, or with the prompt as its own uncounted beginning. */
static void add_alone(struct pack *p, const int32_t *prompt, int64_t n, const int32_t *completion, int64_t k,
	bool merged)
{
	int32_t tokens[100];
	int64_t seg[3] = {0, merged ? 0 : n, n + k}, uncounted = merged ? n : 0;
	struct err err = ERR_INIT;

	memcpy(tokens, prompt, (size_t)n * sizeof *tokens);
	memcpy(tokens + n, completion, (size_t)k * sizeof *tokens);
	assert_int_equal(pack_add(p, tokens, seg, 1, &uncounted, &err), 0);
}

static void shared_prompts_change_nothing(void **state)
{
	static const char *const backends[] = {"reference", "cpu"};
	static const int64_t lengths[] = {17, 9, 1, 22}; /* a prompt and three completions */

	(void)state;
	for (size_t i = 0; i < COUNT(odd) * 4; i++) {
		const char *ops = backends[i % 2];
		bool merged = i / 2 % 2;
		struct pack shared = PACK_INIT, alone = PACK_INIT;
		struct err err = ERR_INIT;
		struct pass a, b;
		struct model m;
		float *r = check_random(i, 100, 1000), *want, *got, *want_logps, *got_logps;
		int32_t tokens[100];
		int64_t seg[5] = {0}, none[3] = {0};

		tiny_init_rough(&m, odd[i / 4], i);
		for (int t = 0; t < 100; t++)
			tokens[t] = abs((int)r[t]) % 307;
		free(r);
		for (int s = 0; s < 4; s++)
			seg[s + 1] = seg[s] + lengths[s];
		add_random_records(&shared, 2, 307, 3); /* others around them */
		assert_int_equal(pack_add(&shared, tokens, seg, 3, none, &err), 0);
		add_random_records(&alone, 2, 307, 3);
		for (int s = 1; s < 4; s++)
			add_alone(&alone, tokens, lengths[0], tokens + seg[s], lengths[s], merged);
		assert_int_equal(shared.counted, alone.counted);
		assert_true(shared.rows < alone.rows);
		assert_int_equal(shared.groups, 3);
		open_pass(&a, &m, ops, &shared);
		open_pass(&b, &m, ops, &alone);
		got = pass_gradient(&a);
		want = pass_gradient(&b);
		got_logps = logps(&a);
		want_logps = logps(&b);
		check_close("log-probs", got_logps, want_logps, shared.counted, 1e-6);
		check_gradients(&m, got, want);
		free(got);
		free(want);
		free(got_logps);
		free(want_logps);
		close_pass(&a);
		close_pass(&b);
		pack_release(&shared);
		pack_release(&alone);
		model_release(&m);
	}
}

static bool same_rows(const struct logp_row *a, const struct logp_row *b, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		if (a[i].logp != b[i].logp || a[i].lse != b[i].lse || a[i].mean != b[i].mean ||
			a[i].entropy != b[i].entropy || a[i].hit != b[i].hit)
			return false;
	return true;
}

/* A prompt and two completions, for one of tiny_config if small, else of odd. */
static void add_record(struct pack *p, uint64_t seed, bool small)
{
	float *random = check_random(seed, 64, 1000);
	int64_t seg[4] = {0}, none[2] = {0};
	struct err err = ERR_INIT;
	int32_t tokens[60];

	for (int s = 0; s < 3; s++)
		seg[s + 1] = seg[s] + 1 + abs((int)random[s]) % (small ? 4 : 20);
	for (int t = 0; t < 60; t++)
		tokens[t] = abs((int)random[4 + t]) % (small ? 19 : 307);
	free(random);
	assert_int_equal(pack_add(p, tokens, seg, 2, none, &err), 0);
}

static void same_bits_at_any_thread_count(void **state)
{
	static const char *const backends[] = {"reference", "cpu", "half"};
	static const int threads[] = {1, 2, 4, 3};

	(void)state;
	for (size_t i = 0; i < (tiny_configs + COUNT(odd)) * COUNT(backends); i++) {
		size_t which = i / COUNT(backends);
		bool small = which < tiny_configs;
		struct pack p = PACK_INIT;
		float *first = NULL;
		struct logp_row *rows = NULL;
		struct model m;

		if (!ops_find(backends[i % COUNT(backends)]))
			continue;
		tiny_init_rough(&m, small ? tiny_config[which] : odd[which - tiny_configs], i);
		for (uint64_t r = 0; r < 30; r++)
			add_record(&p, 100 * i + r, small);
		for (size_t t = 0; t < COUNT(threads); t++) {
			struct pass c;
			float *grads;

			omp_set_num_threads(threads[t]);
			open_pass(&c, &m, backends[i % COUNT(backends)], &p);
			grads = pass_gradient(&c);
			if (!first) {
				first = grads;
				rows = c.rows;
				c.rows = NULL;
			} else {
				assert_memory_equal(grads, first, m.params.count * sizeof *grads);
				assert_true(same_rows(c.rows, rows, p.counted));
				free(grads);
			}
			close_pass(&c);
		}
		omp_set_num_threads(1);
		free(first);
		free(rows);
		pack_release(&p);
		model_release(&m);
	}
}

static struct logp_row *read_pack(struct decoder *d, const struct pack *p)
{
	struct logp_row *rows = calloc((size_t)p->counted, sizeof *rows);
	struct err err = ERR_INIT;

	assert_non_null(rows);
	if (decoder_forward(d, p, rows, &err))
		fail_msg("%s", err.text);
	return rows;
}

static void parts_by(const struct ops *ops)
{
	enum { RECORDS = 40 };
	struct err err = ERR_INIT;

	for (size_t i = 0; ops && i < tiny_configs + COUNT(odd); i++) {
		bool small = i < tiny_configs;
		struct pack all = PACK_INIT, one = PACK_INIT;
		struct logp_row *rows = NULL, *alone;
		int64_t at = 0;
		struct decoder *d;
		struct model m;

		tiny_init_rough(&m, small ? tiny_config[i] : odd[i - tiny_configs], i);
		d = decoder_new(&m, ops, DECODER_FORGET, &err);
		assert_non_null(d);
		for (int pass = 0; pass < 2; pass++)
			for (int r = 0; r < RECORDS; r++) {
				if (pass == 0) {
					add_record(&all, 100 * i + (size_t)r, small);
					continue;
				}
				pack_clear(&one);
				add_record(&one, 100 * i + (size_t)r, small);
				if (r == 0) {
					omp_set_num_threads(3);
					rows = read_pack(d, &all);
					assert_true(ops->part(ops, all.rows) < all.rows);
				}
				alone = read_pack(d, &one);
				if (!same_rows(alone, rows + at, one.counted))
					fail_msg("record %d of %s", r, small ? tiny_config[i] : odd[i - tiny_configs]);
				at += one.counted;
				free(alone);
			}
		assert_int_equal(at, all.counted);
		omp_set_num_threads(1);
		decoder_free(d);
		d = decoder_new(&m, ops, DECODER_KEEP, &err); /* by logits that are kept */
		assert_non_null(d);
		alone = read_pack(d, &all);
		assert_true(same_rows(alone, rows, all.counted));
		free(alone);
		free(rows);
		decoder_free(d);
		pack_release(&all);
		pack_release(&one);
		model_release(&m);
	}
}

/* Many rows go through a layer in parts; a record comes out as if it were alone, to the bit. */
static void parts_change_nothing(void **state)
{
	(void)state;
	parts_by(ops_find("cpu"));
	parts_by(ops_find("half"));
}

/* More counted tokens than logits are held at a time: computed in chunks, and again on the way back. */
static void logits_come_in_chunks(void **state)
{
	static const char config[] = "{\"model_type\":\"llama\",\"vocab_size\":65536,\"hidden_size\":8,"
				     "\"intermediate_size\":8,\"num_hidden_layers\":1,\"num_attention_heads\":2}";
	struct pack whole = PACK_INIT, half[2] = {PACK_INIT, PACK_INIT};
	struct err err = ERR_INIT;
	int32_t tokens[600];
	int64_t seg[3] = {0, 1, 301}, none = 0;
	struct pass c, part;
	float *want = NULL, *got, *a, *b;
	struct model m;

	(void)state;
	tiny_init_rough(&m, config, 1);
	for (int i = 0; i < 600; i++)
		tokens[i] = i * 109 % 65536;
	for (int h = 0; h < 2; h++) {
		assert_int_equal(pack_add(&half[h], tokens + 299 * h, seg, 1, &none, &err), 0);
		assert_int_equal(pack_add(&whole, tokens + 299 * h, seg, 1, &none, &err), 0);
	}
	assert_int_equal(whole.counted, 600);
	open_pass(&c, &m, "cpu", &whole);
	got = pass_gradient(&c);
	a = logps(&c);
	for (int h = 0; h < 2; h++) {
		open_pass(&part, &m, "cpu", &half[h]);
		free((void *)(uintptr_t)part.weights);
		part.weights = c.weights + 300 * h;
		if (!want) {
			want = pass_gradient(&part);
		} else {
			pass_value(&part);
			decoder_backward(part.d, &half[h], part.rows, part.weights, want, NULL);
		}
		b = logps(&part);
		check_close("log-probs", a + 300 * h, b, 300, 1e-6);
		free(b);
		part.weights = NULL;
		close_pass(&part);
	}
	check_close("gradient", got, want, (int64_t)m.params.count, 1e-5);
	free(a);
	free(got);
	free(want);
	close_pass(&c);
	pack_release(&whole);
	pack_release(&half[0]);
	pack_release(&half[1]);
	model_release(&m);
}

static void packs_without_work(void **state)
{
	static const char *const backends[] = {"reference", "cpu"};
	static const int32_t tokens[] = {1, 2, 3};
	static const int64_t empty[] = {0, 0, 0}, given[] = {0, 0, 1}, prompt[] = {0, 2, 2}, one[] = {1};

	(void)state;
	for (size_t i = 0; i < tiny_configs * 2; i++) {
		struct err err = ERR_INIT;
		struct pack p = PACK_INIT;
		struct model m;
		struct pass c;
		float *grads;

		tiny_init(&m, tiny_config[i / 2], i);
		for (int with = 0; with < 3; with++) {
			/* Nothing at all; a token that nothing precedes; a prompt without an answer. */
			pack_clear(&p);
			assert_int_equal(pack_add(&p, tokens, with == 0 ? empty : with == 1 ? given : prompt, 1,
						 with == 1 ? one : (int64_t[]){0}, &err),
				0);
			assert_int_equal(p.counted, 0);
			open_pass(&c, &m, backends[i % 2], &p);
			grads = pass_gradient(&c);
			for (size_t k = 0; k < m.params.count; k++)
				assert_true(grads[k] == 0);
			free(grads);
			close_pass(&c);
		}
		pack_release(&p);
		model_release(&m);
	}
}

static void refuse(const char *config, const int32_t *tokens, int64_t prompt, int64_t n, int code, const char *says)
{
	int64_t seg[] = {0, prompt, n}, none = 0;
	struct logp_row rows[20];
	struct pack p = PACK_INIT;
	struct err err = ERR_INIT;
	struct decoder *d;
	struct model m;

	tiny_init(&m, config, 1);
	d = decoder_new(&m, ops_find("cpu"), DECODER_FORGET, &err);
	assert_non_null(d);
	assert_int_equal(pack_add(&p, tokens, seg, 1, &none, &err), 0);
	assert_int_equal(decoder_forward(d, &p, rows, &err), code ? -1 : 0);
	assert_int_equal(err.code, code);
	if (!strstr(err.text, says))
		fail_msg("no '%s' in: %s", says, err.text);
	decoder_free(d);
	pack_release(&p);
	model_release(&m);
}

static void what_does_not_fit_is_refused(void **state)
{
	static const int32_t plain[16], large[] = {1, 2, 19}, negative[] = {1, -1, 3}, target[] = {1, 2, 3, 1 << 30};

	(void)state;
	refuse(tiny_config[0], plain, 3, 12, 0, "");
	refuse(tiny_config[0], plain, 3, 13, ERR_LIMIT, "a sequence of 13 tokens; the model has 12 positions");
	refuse(tiny_config[2], plain, 3, 16, 0, "");
	for (int i = 0; i < 3; i += 2) {
		refuse(tiny_config[i], large, 1, 3, ERR_MISMATCH, "token 19 is outside the model's vocabulary of 19");
		refuse(tiny_config[i], large + 2, 1, 1, ERR_MISMATCH, "token 19");
		refuse(tiny_config[i], negative, 1, 3, ERR_MISMATCH, "token -1");
		refuse(tiny_config[i], target, 2, 4, ERR_MISMATCH, "token 1073741824");
	}
}

static size_t in_use(void)
{
	struct mallinfo2 i = mallinfo2();

	return i.uordblks + i.hblkhd;
}

/* A decoder that keeps inputs alone comes to the same gradient, in less memory, and says what is complete. */

struct heard {
	const struct model *m;
	float *grads, *whole;
	size_t parts, heard;
};

static void hear(void *arg, size_t from, size_t to)
{
	struct heard *h = arg;

	for (size_t i = from; i < to; i++) {
		const struct param *p = &h->m->params.param[i];

		assert_memory_equal(h->grads + p->offset, h->whole + p->offset, p->count * sizeof *h->grads);
		h->heard++;
	}
	h->parts++;
}

static void inputs_are_enough(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(odd); i++) {
		struct pack p = PACK_INIT;
		struct model m;
		struct pass c;
		struct heard h = {.m = &m};
		struct decoder_listener listener = {hear, &h};
		size_t kept;

		tiny_init_rough(&m, odd[i], i);
		add_random_records(&p, 3, m.arch.vocab, 5);
		open_pass(&c, &m, "cpu", &p);
		h.whole = pass_gradient(&c);
		kept = decoder_memory(c.d, p.rows, p.counted, p.longest);
		decoder_free(c.d);
		c.d = decoder_new(&m, ops_find("cpu"), DECODER_KEEP_INPUTS, &err);
		assert_non_null(c.d);
		assert_true(decoder_memory(c.d, p.rows, p.counted, p.longest) < kept);
		h.grads = calloc(m.params.count, sizeof *h.grads);
		assert_non_null(h.grads);
		pass_value(&c);
		decoder_backward(c.d, &p, c.rows, c.weights, h.grads, &listener);
		assert_memory_equal(h.grads, h.whole, m.params.count * sizeof *h.grads);
		assert_int_equal(h.heard, m.params.n);
		assert_int_equal(h.parts, m.arch.layers + 2);
		free(h.grads);
		free(h.whole);
		close_pass(&c);
		pack_release(&p);
		model_release(&m);
	}
}

static void memory_is_reserved_and_grows(void **state)
{
	struct pack small = PACK_INIT, large = PACK_INIT;
	struct err err = ERR_INIT;
	struct logp_row *rows, *again;
	struct decoder *d;
	struct model m;
	size_t before, bytes, added;

	(void)state;
	tiny_init_rough(&m, odd[1], 1);
	add_random_records(&small, 1, 307, 1);
	add_random_records(&large, 9, 307, 2);
	rows = calloc((size_t)large.counted, sizeof *rows);
	again = calloc((size_t)large.counted, sizeof *again);
	assert_true(rows && again);
	for (int train = 0; train < 2; train++) {
		d = decoder_new(&m, ops_find("reference"), train ? DECODER_KEEP : DECODER_FORGET, &err);
		assert_non_null(d);
		bytes = decoder_memory(d, large.rows, large.counted, large.longest);
		assert_true(decoder_memory(d, small.rows, small.counted, small.longest) < bytes);
		assert_true(decoder_memory(d, 2 * large.rows, large.counted, large.longest) > bytes);
		assert_true(decoder_memory(d, large.rows, 2 * large.counted, large.longest) > bytes);
		before = in_use();
		assert_int_equal(decoder_reserve(d, large.rows, large.counted, large.longest, &err), 0);
		added = in_use() - before;
		/* Zero where the memory's keeper is a sanitizer; otherwise what was said, and turns by position. */
		assert_true(!added || (added >= bytes && added < bytes + 20000));
		before = in_use();
		for (int i = 0; i < 3; i++) {
			assert_int_equal(decoder_forward(d, i == 1 ? &small : &large, rows, &err), 0);
			assert_true(in_use() < before + 256); /* OpenMP's teams leave crumbs */
		}
		/* The same from a decoder that had to grow, and forgot nothing that it had been asked for. */
		decoder_free(d);
		d = decoder_new(&m, ops_find("reference"), train ? DECODER_KEEP : DECODER_FORGET, &err);
		assert_int_equal(decoder_forward(d, &small, again, &err), 0);
		assert_int_equal(decoder_reserve(d, 1, 1, 1, &err), 0);
		assert_int_equal(decoder_forward(d, &large, again, &err), 0);
		assert_true(same_rows(rows, again, large.counted));
		assert_int_equal(decoder_memory(d, large.rows, large.counted, large.longest), bytes);
		assert_int_equal(decoder_forward(d, &large, again, &err), 0); /* asking changed nothing */
		assert_true(same_rows(rows, again, large.counted));
		/* Asked for more of one thing, it keeps what it had of the others. */
		assert_int_equal(decoder_reserve(d, 1, 2 * large.counted, 1, &err), 0);
		before = in_use();
		assert_int_equal(decoder_forward(d, &large, again, &err), 0);
		assert_int_equal(in_use(), before);
		assert_int_equal(decoder_reserve(d, (int64_t)1 << 53, 1, 1, &err), -1);
		assert_int_equal(err.code, ERR_LIMIT);
		assert_int_equal(decoder_forward(d, &large, again, &err), 0); /* nor did asking too much */
		assert_true(same_rows(rows, again, large.counted));
		decoder_free(d);
	}
	decoder_free(NULL);
	free(rows);
	free(again);
	pack_release(&small);
	pack_release(&large);
	model_release(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_gradient),
		cmocka_unit_test(gradients_are_added),
		cmocka_unit_test(backends_agree),
		cmocka_unit_test(shared_prompts_change_nothing),
		cmocka_unit_test(same_bits_at_any_thread_count),
		cmocka_unit_test(parts_change_nothing),
		cmocka_unit_test(logits_come_in_chunks),
		cmocka_unit_test(packs_without_work),
		cmocka_unit_test(what_does_not_fit_is_refused),
		cmocka_unit_test(inputs_are_enough),
		cmocka_unit_test(memory_is_reserved_and_grows),
	};

	return cmocka_run_group_tests(tests, tiny_open, tiny_close);
}
