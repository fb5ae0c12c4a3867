/* Losses, schedules, and the trainer: gradient, micro-batches, clipping, AdamW, metrics, gate, what is not finite. */
#include "tests/unit/support/check.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/rng.h"
#include "learn/schedule.h"
#include "learn/trainer.h"

#define assert_near(got, want, tolerance) near_(got, want, tolerance, #got, __LINE__)

static void near_(double got, double want, double tolerance, const char *what, int line)
{
	if (!(fabs(got - want) <= tolerance))
		fail_msg("line %d: %s is %.12g, should be %.12g", line, what, got, want);
}

/* ---- schedules */

static void schedules(void **state)
{
	static const struct {
		struct schedule s;
		int64_t step;
		double factor;
	} golden[] = {
#define LINEAR SCHEDULE_LINEAR
#define COSINE SCHEDULE_COSINE
#define CONSTANT SCHEDULE_CONSTANT
#define SQRT SCHEDULE_INVERSE_SQRT
#define WSD SCHEDULE_WSD
		{{LINEAR, 4, 0, 20, 0}, 0, 0}, {{LINEAR, 4, 0, 20, 0}, 1, 0.25}, {{LINEAR, 4, 0, 20, 0}, 3, 0.75},
		{{LINEAR, 4, 0, 20, 0}, 4, 1}, {{LINEAR, 4, 0, 20, 0}, 12, 0.5}, {{LINEAR, 4, 0, 20, 0}, 19, 1.0 / 16},
		{{LINEAR, 0, 0, 4, 0}, 0, 1}, {{LINEAR, 0, 0, 4, 0}, 3, 0.25}, {{LINEAR, 0, 0, 1, 0}, 0, 1},
		{{COSINE, 4, 0, 20, 0}, 2, 0.5}, {{COSINE, 4, 0, 20, 0}, 4, 1},
		{{COSINE, 4, 0, 20, 0}, 8, 0.85355339059327373}, {{COSINE, 4, 0, 20, 0}, 12, 0.5},
		{{COSINE, 4, 0, 20, 0}, 16, 0.14644660940672627}, {{COSINE, 0, 0, 3, 0}, 0, 1},
		{{COSINE, 0, 0, 3, 0}, 1, 0.75}, {{COSINE, 0, 0, 3, 0}, 2, 0.25}, {{CONSTANT, 4, 0, 20, 0}, 0, 0},
		{{CONSTANT, 4, 0, 20, 0}, 3, 0.75}, {{CONSTANT, 4, 0, 20, 0}, 4, 1}, {{CONSTANT, 4, 0, 20, 0}, 19, 1},
		{{CONSTANT, 0, 0, 20, 0}, 0, 1},
		/* A warm-up as long as the run, or longer: the peak is not reached. */
		{{LINEAR, 4, 0, 4, 0}, 3, 0.75}, {{COSINE, 8, 0, 4, 0}, 3, 0.375}, {{LINEAR, 4, 0, 4, 0}, 4, 1},
		/* Above a floor. */
		{{LINEAR, 4, 0, 20, 0.1}, 2, 0.5}, {{LINEAR, 4, 0, 20, 0.1}, 12, 0.55}, {{COSINE, 0, 0, 2, 0.5}, 1, 0.75},
		{{SQRT, 4, 0, 20, 0}, 2, 0.5}, {{SQRT, 4, 0, 20, 0}, 4, 1}, {{SQRT, 4, 0, 20, 0}, 16, 0.5},
		{{SQRT, 0, 0, 20, 0}, 10, 0.99950037468777320},
		{{WSD, 4, 8, 20, 0}, 2, 0.5}, {{WSD, 4, 8, 20, 0}, 4, 1}, {{WSD, 4, 8, 20, 0}, 12, 1},
		{{WSD, 4, 8, 20, 0}, 16, 0.5}, {{WSD, 4, 8, 20, 0.2}, 16, 0.6}, {{WSD, 0, 0, 20, 0}, 19, 1},
		{{WSD, 0, 30, 20, 0}, 5, 0.5},
#undef LINEAR
#undef COSINE
#undef CONSTANT
#undef SQRT
#undef WSD
	};

	(void)state;
	for (size_t i = 0; i < sizeof golden / sizeof *golden; i++)
		assert_near(schedule_factor(&golden[i].s, golden[i].step), golden[i].factor, 1e-15);
	assert_string_equal(schedule_names[SCHEDULE_LINEAR], "linear");
	assert_string_equal(schedule_names[SCHEDULE_WSD], "wsd");
}

/* ---- the trainer, on a tiny model and four records */

static const char config[] =
	"{\"model_type\":\"llama\",\"vocab_size\":23,\"hidden_size\":8,\"intermediate_size\":12,\"num_hidden_layers\":2,"
	"\"num_attention_heads\":4,\"num_key_value_heads\":2,\"initializer_range\":0.3}";

static const int32_t tokens[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22};
static const int64_t seg[4][4] = {{0, 3, 6, 8}, {0, 0, 4, 9}, {4, 9, 10, 14}, {8, 14, 19, 22}};
static const int64_t uncounted[4][2] = {{0, 0}, {1, 1}, {0, 2}, {0, 0}};

struct fixture {
	struct model m;
	struct example examples[4];
	float ref[4][2], ref_tokens[4][16];
	float *start; /* [m.params.count] the weights as they were */
	struct trainer_options options;
};

static struct fixture f;

static void read_reference(void)
{
	struct err err = ERR_INIT;
	struct pack p = PACK_INIT;
	struct decoder *d = decoder_new(&f.m, ops_find("reference"), DECODER_FORGET, &err);
	struct logp_row rows[32];
	int64_t at = 0;

	assert_non_null(d);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pack_add(&p, tokens, seg[i], 2, uncounted[i], &err), 0);
	assert_true(p.counted <= 32);
	assert_int_equal(decoder_forward(d, &p, rows, &err), 0);
	for (int i = 0; i < 4; i++) {
		float *each = f.ref_tokens[i];

		for (int c = 0; c < 2; c++) {
			double sum = 0;

			for (int64_t n = seg[i][c + 2] - seg[i][c + 1] - uncounted[i][c]; n > 0; n--, at++) {
				*each++ = rows[at].logp;
				sum += rows[at].logp;
			}
			f.ref[i][c] = (float)sum;
		}
	}
	decoder_free(d);
	pack_release(&p);
}

static int setup(void **state)
{
	char path[] = "/tmp/test_learn.XXXXXX";
	struct err err = ERR_INIT;
	int fd = mkstemp(path);

	(void)state;
	omp_set_num_threads(1); /* too little work for more */
	assert_true(fd >= 0 && write(fd, config, sizeof config - 1) == sizeof config - 1 && close(fd) == 0);
	assert_int_equal(model_init(&f.m, path, 3, &err), 0);
	unlink(path);
	f.start = mem_new(f.m.params.count, sizeof *f.start, &err);
	assert_non_null(f.start);
	memcpy(f.start, f.m.weights, f.m.params.count * sizeof *f.start);
	return 0;
}

/* A loss, settled, with that beta where it is above 0, and smoothing where that is. */
static struct loss loss_of(const char *list, double beta, double smoothing)
{
	struct err err = ERR_INIT;
	struct loss l;

	if (loss_parse(&l, list, &err))
		fail_msg("%s", err.text);
	l.params = (struct loss_params){.beta = beta, .smoothing = smoothing};
	l.given = (beta > 0 ? LOSS_BETA : 0) | (smoothing > 0 ? LOSS_SMOOTHING : 0);
	if (loss_settle(&l, &err))
		fail_msg("%s", err.text);
	return l;
}

static double mean_loss(const struct judge_step *s)
{
	return s->loss / s->loss_weight;
}

/* Before each test: the weights, the records and the options as they were. */
static int start(void **state)
{
	(void)state;
	memcpy(f.m.weights, f.start, f.m.params.count * sizeof *f.start);
	read_reference();
	for (int i = 0; i < 4; i++)
		f.examples[i] = (struct example){
			(uint64_t)i + 0xabc0, 2, tokens, seg[i], uncounted[i], f.ref[i], f.ref_tokens[i], NULL};
	f.options = (struct trainer_options){
		.loss = loss_of("sigmoid", 0.1, 0),
		.optimizer = optimizer_defaults(OPTIMIZER_ADAMW),
		.gate = true,
		.batch_tokens = 1000,
	};
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(f.start);
	model_release(&f.m);
	return 0;
}

static struct trainer *new_trainer(void)
{
	struct err err = ERR_INIT;
	struct trainer *t = trainer_new(&f.m, ops_find("reference"), &f.options, &err);

	assert_non_null(t);
	return t;
}

static bool weights_moved(void)
{
	return memcmp(f.m.weights, f.start, f.m.params.count * sizeof *f.start) != 0;
}

/*
 * The whole step's gradient, for free(). With an eps that dwarfs it, AdamW's first step is minus the gradient
 * times lr / eps.
 */
static float *gradient(struct judge_step *s)
{
	struct trainer_options saved = f.options;
	struct err err = ERR_INIT;
	size_t n = f.m.params.count;
	float *before = mem_new(n, sizeof *before, &err);
	struct trainer *t;

	f.options.optimizer.eps = 1e9;
	f.options.clip = f.options.optimizer.weight_decay = 0;
	t = new_trainer();
	memcpy(before, f.m.weights, n * sizeof *before);
	assert_int_equal(trainer_step(t, f.examples, 4, 1e9, s, &err), 0);
	for (size_t i = 0; i < n; i++) {
		float g = before[i] - f.m.weights[i];

		f.m.weights[i] = before[i];
		before[i] = g;
	}
	trainer_free(t);
	f.options = saved;
	return before;
}

static double loss_value(void *arg)
{
	struct judge_step s;
	struct err err = ERR_INIT;

	assert_int_equal(trainer_evaluate(arg, f.examples, 4, &s, &err), 0);
	return mean_loss(&s);
}

static void check_step_gradient(const char *what)
{
	struct judge_step s;
	float *g = gradient(&s);
	struct trainer *t = new_trainer();
	double squares = 0;

	for (size_t i = 0; i < f.m.params.count; i++)
		squares += (double)g[i] * g[i];
	assert_near(s.grad_norm / 4, sqrt(squares), 1e-4 * s.grad_norm);
	for (size_t i = 0; i < f.m.params.n; i++) {
		const struct param *p = &f.m.params.param[i];
		char name[200];

		snprintf(name, sizeof name, "%s: %s", what, p->name);
		check_gradient(name, loss_value, t, f.m.weights + p->offset, g + p->offset, (int64_t)p->count, 1e-2);
	}
	trainer_free(t);
	free(g);
}

static const char *const losses[] = {"sft", "ipo", "exo_pair", "robust", "aot", "aot_unpaired", "apo_zero", "discopop",
	"sigmoid_norm", "simpo", "cpo", "orpo", "alphapo", "bco", "plackett_luce", "sigmoid,sft:0.5"};

static void step_gradient(void **state)
{
	(void)state;
	f.options.loss = loss_of("sigmoid", 2, 0);
	check_step_gradient("dpo");
	f.options.loss = loss_of("sigmoid", 2, 0.2);
	check_step_gradient("cdpo");
	/* Not those with a kink where policy and reference are the same (dpop), or with estimates that are not
	 * learnt from (kto): test_loss has their derivatives. */
	for (size_t i = 0; i < sizeof losses / sizeof *losses; i++) {
		f.options.loss = loss_of(losses[i], 0, 0);
		check_step_gradient(losses[i]);
	}
	f.options.loss = loss_of("sigmoid:0.7,sft:0.3", 1, 0);
	f.options.loss.ld_alpha = 0.5;
	check_step_gradient("ld-dpo with sft");
}

static void micro_batches_add_up(void **state)
{
	static const int64_t budgets[] = {1, 9, 16, 25, 1 << 24};
	struct judge_step one, s;
	float *g, *h;

	(void)state;
	for (size_t l = 0; l < sizeof losses / sizeof *losses; l++) {
		f.options.loss = loss_of(losses[l], 0, 0);
		f.options.batch_tokens = 1000;
		g = gradient(&one);
		for (size_t i = 0; i < sizeof budgets / sizeof *budgets; i++) {
			f.options.batch_tokens = budgets[i];
			h = gradient(&s);
			check_close("gradient", h, g, (int64_t)f.m.params.count, 1e-5);
			assert_near(mean_loss(&s), mean_loss(&one), 1e-6 * fmax(1, mean_loss(&one)));
			assert_near(s.grad_norm, one.grad_norm, 1e-5 * one.grad_norm);
			assert_near(s.entropy, one.entropy, 1e-5);
			assert_int_equal(s.tokens, one.tokens);
			free(h);
		}
		free(g);
	}
}

static void clipping(void **state)
{
	struct judge_step s;
	struct err err = ERR_INIT;
	size_t n = f.m.params.count;
	float *g = gradient(&s), *moved = mem_new(n, sizeof *moved, &err);
	struct trainer *t;
	double norm = s.grad_norm / 4;

	(void)state;
	f.options.optimizer.eps = 1e9;
	for (int large = 0; large < 2; large++) {
		f.options.clip = large ? norm * 1.5 : norm / 4;
		t = new_trainer();
		assert_int_equal(trainer_step(t, f.examples, 4, 1e9, &s, &err), 0);
		assert_near(s.grad_norm / 4, norm, 0); /* before clipping */
		for (size_t i = 0; i < n; i++)
			moved[i] = (f.start[i] - f.m.weights[i]) * (large ? 1 : (float)((norm + 1e-6) / f.options.clip));
		check_close("clipped", moved, g, (int64_t)n, 1e-4);
		memcpy(f.m.weights, f.start, n * sizeof *f.start);
		trainer_free(t);
	}
	free(g);
	free(moved);
}

static void decay_is_for_matrices(void **state)
{
	struct judge_step s;
	struct err err = ERR_INIT;
	struct trainer *t;

	(void)state;
	f.options.optimizer.eps = 1e9; /* leaves nothing but decay */
	f.options.optimizer.weight_decay = 0.01;
	t = new_trainer();
	assert_int_equal(trainer_step(t, f.examples, 4, 2, &s, &err), 0);
	for (size_t i = 0; i < f.m.params.n; i++) {
		const struct param *p = &f.m.params.param[i];

		for (size_t k = p->offset; k < p->offset + p->count; k++)
			assert_near(f.m.weights[k], f.start[k] * (p->rank == 2 ? 0.98 : 1), 1e-6);
	}
	trainer_free(t);
}

/* Three steps of AdamW as its paper has it, in double, by gradients of a trainer that forgets. */
static void adamw_over_steps(void **state)
{
	size_t n = f.m.params.count;
	struct err err = ERR_INIT;
	double *m = mem_new(n, sizeof *m, &err), *v = mem_new(n, sizeof *v, &err);
	double rates[] = {0, 0.01, 0.005};
	float *want = mem_new(n, sizeof *want, &err), *g;
	struct judge_step s;
	struct trainer *t;

	(void)state;
	f.options.loss = loss_of("sft", 0, 0); /* has no gate, which would stop the second trainer */
	f.options.optimizer.beta2 = 0.95;
	f.options.optimizer.eps = 1e-3;
	f.options.optimizer.weight_decay = 0.1;
	t = new_trainer();
	for (int step = 1; step <= 3; step++) {
		double lr = rates[step - 1];

		g = gradient(&s);
		for (size_t i = 0; i < f.m.params.n; i++) {
			const struct param *p = &f.m.params.param[i];

			for (size_t k = p->offset; k < p->offset + p->count; k++) {
				double w = f.m.weights[k] * (1 - (p->decay ? lr * 0.1 : 0));

				m[k] = 0.9 * m[k] + 0.1 * g[k];
				v[k] = 0.95 * v[k] + 0.05 * g[k] * g[k];
				w -= lr * m[k] / (1 - pow(0.9, step)) / (sqrt(v[k] / (1 - pow(0.95, step))) + 1e-3);
				want[k] = (float)w;
			}
		}
		free(g);
		assert_int_equal(trainer_step(t, f.examples, 4, lr, &s, &err), 0);
		assert_true(weights_moved() == (step > 1));
		check_close("weights", f.m.weights, want, (int64_t)n, 1e-5);
	}
	trainer_free(t);
	free(m);
	free(v);
	free(want);
}

static void metrics_of_a_step(void **state)
{
	double logp[4][2] = {{0}}, chosen_logit = 0, rejected_logit = 0, entropy = 0, hits = 0, loss = 0;
	double reward[2] = {0}, mean[2] = {0}, margin = 0, right = 0;
	int64_t n[2] = {0}, at = 0;
	struct judge_step s;
	struct err err = ERR_INIT;
	const struct logp_row *rows;
	struct trainer *t;

	(void)state;
	for (int i = 0; i < 4; i++) /* another reference, which an evaluation may have */
		for (int c = 0; c < 2; c++)
			f.ref[i][c] += (float)(i - 1.5) * (c ? 1.f : -0.5f);
	f.options.batch_tokens = 12;
	t = new_trainer();
	assert_int_equal(trainer_evaluate(t, f.examples, 4, &s, &err), 0);
	rows = trainer_rows(t);
	for (int i = 0; i < 4; i++) {
		for (int c = 0; c < 2; c++)
			for (int64_t k = seg[i][c + 2] - seg[i][c + 1] - uncounted[i][c]; k > 0; k--, at++) {
				logp[i][c] += rows[at].logp;
				*(c ? &rejected_logit : &chosen_logit) += rows[at].mean;
				entropy += rows[at].entropy;
				hits += c ? 0 : rows[at].hit;
				n[c]++;
			}
		loss -= loss_log_sigmoid(0.1 * (logp[i][0] - f.ref[i][0] - logp[i][1] + f.ref[i][1])) / 4;
		for (int c = 0; c < 2; c++) {
			mean[c] += logp[i][c] / 4;
			reward[c] += 0.1 * (logp[i][c] - f.ref[i][c]) / 4;
		}
		right += logp[i][0] - f.ref[i][0] > logp[i][1] - f.ref[i][1];
	}
	margin = reward[0] - reward[1];
	assert_near(mean_loss(&s), loss, 1e-12);
	assert_near(s.chosen.logp, 4 * mean[0], 1e-12);
	assert_near(s.rejected.logp, 4 * mean[1], 1e-12);
	assert_near(s.chosen.reward, 4 * reward[0], 1e-12);
	assert_near(s.rejected.reward, 4 * reward[1], 1e-12);
	assert_near(s.margin, 4 * margin, 1e-12);
	assert_near(s.right, right, 0);
	assert_int_equal(s.compared, 4);
	assert_true(right > 0 && right < 4);
	assert_near(s.chosen.logit, chosen_logit, 1e-12);
	assert_near(s.rejected.logit, rejected_logit, 1e-12);
	assert_near(s.entropy, entropy, 1e-12);
	assert_near(s.chosen.hits, hits, 1e-12);
	assert_int_equal(s.chosen.counted, n[0]);
	assert_int_equal(s.rejected.counted, n[1]);
	assert_int_equal(s.chosen.completions, 4);
	assert_int_equal(s.examples, 4);
	assert_int_equal(s.tokens, 8 + 9 + 10 + 14); /* each prompt once */
	assert_near(s.grad_norm, 0, 0);
	assert_false(weights_moved());

	/* Supervised: the first completions alone. */
	f.options.loss = loss_of("sft", 0, 0);
	trainer_free(t);
	t = new_trainer();
	assert_int_equal(trainer_evaluate(t, f.examples, 4, &s, &err), 0);
	assert_near(mean_loss(&s), -4 * mean[0] / (double)n[0], 1e-7);
	assert_near(s.chosen.logp, 4 * mean[0], 1e-5);
	assert_near(s.chosen.hits, hits, 1e-12);
	assert_int_equal(s.chosen.counted, n[0]);
	assert_int_equal(s.rejected.counted, 0);
	assert_int_equal(s.tokens, 6 + 4 + 6 + 11);
	trainer_free(t);
}

static void accuracy_is_strict(void **state)
{
	static const int32_t twice[] = {1, 2, 3, 4, 3, 4};
	static const int64_t twice_seg[] = {0, 2, 4, 6}, none[2];
	float ref[2] = {-1, -1};
	struct example e = {1, 2, twice, twice_seg, none, ref, NULL, NULL};
	struct trainer *t = new_trainer();
	struct judge_step s;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(trainer_evaluate(t, &e, 1, &s, &err), 0);
	assert_near(s.right, 0, 0);
	assert_near(s.margin, 0, 0);
	assert_near(mean_loss(&s), M_LN2, 1e-15);
	trainer_free(t);
}

static void first_step_starts_at_ln_2(void **state)
{
	struct judge_step s;
	struct err err = ERR_INIT;

	(void)state;
	for (double beta = 0.1; beta < 10; beta *= 5) {
		struct trainer *t;

		memcpy(f.m.weights, f.start, f.m.params.count * sizeof *f.start);
		f.options.loss = loss_of("sigmoid", beta, beta > 1 ? 0.3 : 0);
		t = new_trainer();
		assert_int_equal(trainer_step(t, f.examples, 4, 1e-4, &s, &err), 0);
		assert_near(mean_loss(&s), M_LN2, 1e-5);
		assert_near(s.margin / 4, 0, 1e-5 * beta);
		assert_int_equal(trainer_evaluate(t, f.examples, 4, &s, &err), 0);
		assert_true(mean_loss(&s) < M_LN2 - 1e-4 * beta);
		assert_true(s.margin / 4 > 1e-4 * beta);
		trainer_free(t);
	}
}

static void gate(void **state)
{
	struct judge_step s;
	struct err err = ERR_INIT;
	struct trainer *t = new_trainer();
	float kept;

	(void)state;
	for (int i = 0; i < 4; i++)
		for (int c = 0; c < 2; c++)
			for (int sign = -1; sign <= 1; sign += 2) {
				float far = 1.01f * (1e-3f + 1e-4f * fabsf(f.ref[i][c]));
				char id[20];

				kept = f.ref[i][c];
				f.ref[i][c] += (float)sign * far;
				assert_int_equal(trainer_step(t, f.examples, 4, 0.01, &s, &err), -1);
				assert_int_equal(err.code, ERR_MISMATCH);
				snprintf(id, sizeof id, "%016llx", (unsigned long long)f.examples[i].id);
				assert_non_null(strstr(err.text, id));
				assert_non_null(strstr(err.text, c ? "rejected" : "chosen"));
				assert_false(weights_moved());
				assert_int_equal(trainer_evaluate(t, f.examples, 4, &s, &err), 0); /* has no gate */
				f.ref[i][c] = kept;
			}
	kept = f.ref[2][1];
	f.ref[2][1] += 0.9f * (1e-3f + 1e-4f * fabsf(kept));
	assert_int_equal(trainer_step(t, f.examples, 4, 0.01, &s, &err), 0);
	assert_true(weights_moved());
	f.ref[2][1] = kept - 1; /* after the first update there is none either */
	assert_int_equal(trainer_step(t, f.examples, 4, 0.01, &s, &err), 0);
	trainer_free(t);

	/* Each log-prob is near enough, but beta makes a difference of it. */
	start(NULL);
	f.options.loss = loss_of("sigmoid", 100, 0);
	for (int i = 0; i < 4; i++) {
		f.ref[i][0] += 9e-4f;
		f.ref[i][1] -= 9e-4f;
	}
	t = new_trainer();
	assert_int_equal(trainer_step(t, f.examples, 4, 0.01, &s, &err), -1);
	assert_int_equal(err.code, ERR_MISMATCH);
	assert_non_null(strstr(err.text, "0.693147"));
	assert_false(weights_moved());
	trainer_free(t);
}

static void what_is_not_finite_stops(void **state)
{
	const struct param *embed = params_find(&f.m.params, ROLE_EMBED, 0, false);
	struct judge_step s;
	struct err err = ERR_INIT;
	struct trainer *t;

	(void)state;
	for (int sft = 0; sft < 2; sft++) {
		f.options.loss = loss_of(sft ? "sft" : "sigmoid", 0, 0);
		t = new_trainer();
		/* A token that only the last record has. */
		f.m.weights[embed->offset + 18 * 8] = NAN;
		assert_int_equal(trainer_step(t, f.examples, 4, 0.01, &s, &err), -1);
		assert_int_equal(err.code, ERR_FAILED);
		assert_non_null(strstr(err.text, "step 1, record 000000000000abc3: a log-prob is "));
		assert_int_equal(trainer_evaluate(t, f.examples, 4, &s, &err), -1);
		memcpy(f.m.weights, f.start, f.m.params.count * sizeof *f.start);
		trainer_free(t);
	}
	/* An infinite reference. */
	f.options.loss = loss_of("sigmoid", 0, 0);
	t = new_trainer();
	f.ref[1][0] = -INFINITY;
	assert_int_equal(trainer_step(t, f.examples, 4, 0.01, &s, &err), -1);
	assert_int_equal(err.code, ERR_FAILED);
	assert_non_null(strstr(err.text, "record 000000000000abc1"));
	assert_false(weights_moved());
	trainer_free(t);
}

static void unfit_examples_are_refused(void **state)
{
	static const int64_t three[] = {0, 3, 4, 5, 6}, none[3], all[] = {0, 2};
	float ref[3] = {-1, -1, -1};
	struct example wide = {7, 3, tokens, three, none, ref, NULL, NULL}, empty = f.examples[0];
	struct judge_step s;
	struct err err = ERR_INIT;
	struct trainer *t = new_trainer();

	(void)state;
	assert_int_equal(trainer_step(t, &wide, 1, 0.01, &s, &err), -1);
	assert_int_equal(err.code, ERR_MISMATCH);
	assert_non_null(strstr(err.text, "record 0000000000000007 has 3 completions"));
	empty.uncounted = all;
	assert_int_equal(trainer_step(t, &empty, 1, 0.01, &s, &err), -1);
	assert_int_equal(err.code, ERR_FAILED);
	assert_non_null(strstr(err.text, "completion 2 has no token"));
	assert_false(weights_moved());
	trainer_free(t);

	/* Supervised training takes the first completion of as many as there are. */
	f.options.loss = loss_of("sft", 0, 0);
	t = new_trainer();
	assert_int_equal(trainer_step(t, &wide, 1, 0.01, &s, &err), 0);
	assert_int_equal(s.tokens, 4);
	assert_int_equal(trainer_step(t, &empty, 1, 0.01, &s, &err), 0);
	trainer_free(t);
}

static void steps_merge_by_what_they_stand_for(void **state)
{
	struct judge_step parts[2], all, sum = {0};
	struct err err = ERR_INIT;
	struct trainer *t;

	(void)state;
	for (int i = 0; i < 4; i++)
		f.ref[i][0] -= (float)i;
	for (int sft = 0; sft < 2; sft++) {
		f.options.loss = loss_of(sft ? "sft" : "sigmoid", 0, 0);
		t = new_trainer();
		assert_int_equal(trainer_evaluate(t, f.examples, 4, &all, &err), 0);
		assert_int_equal(trainer_evaluate(t, f.examples, 1, &parts[0], &err), 0);
		assert_int_equal(trainer_evaluate(t, f.examples + 1, 3, &parts[1], &err), 0);
		sum = (struct judge_step){0};
		judge_step_add(&sum, &parts[0]);
		judge_step_add(&sum, &parts[1]);
		assert_int_equal(sum.examples, all.examples);
		assert_int_equal(sum.tokens, all.tokens);
		assert_int_equal(sum.chosen.counted, all.chosen.counted);
		assert_int_equal(sum.rejected.counted, all.rejected.counted);
		assert_int_equal(sum.chosen.completions, all.chosen.completions);
		assert_near(mean_loss(&sum), mean_loss(&all), 1e-6);
		assert_near(sum.chosen.logp, all.chosen.logp, 1e-5);
		assert_near(sum.rejected.logp, all.rejected.logp, 1e-5);
		assert_near(sum.chosen.reward, all.chosen.reward, 1e-5);
		assert_near(sum.rejected.reward, all.rejected.reward, 1e-5);
		assert_near(sum.right, all.right, 0);
		assert_near(sum.margin, all.margin, 1e-5);
		assert_near(sum.chosen.logit, all.chosen.logit, 1e-5);
		assert_near(sum.rejected.logit, all.rejected.logit, 1e-5);
		assert_near(sum.entropy, all.entropy, 1e-5);
		assert_near(sum.chosen.hits, all.chosen.hits, 0);
		trainer_free(t);
	}
}

/* Parts of the gradient that are used at once, or layers made again, end in the same weights. */
static void frugal_steps_are_the_same(void **state)
{
	size_t n = f.m.params.count;
	float *plain = malloc(n * sizeof *plain);
	struct judge_step s, want = {0};
	struct err err = ERR_INIT;

	(void)state;
	assert_non_null(plain);
	f.options.clip = 0;
	f.options.average = 0.5;
	for (int how = 0; how < 4; how++) {
		struct trainer *t;

		f.options.fuse = how & 1;
		f.options.recompute = how & 2;
		memcpy(f.m.weights, f.start, n * sizeof *f.start);
		t = new_trainer();
		for (int i = 0; i < 3; i++)
			assert_int_equal(trainer_step(t, f.examples, 4, 0.01, &s, &err), 0);
		assert_int_equal(optimizer_steps(trainer_optimizer(t)), 3);
		trainer_swap_average(t);
		if (how == 0) {
			memcpy(plain, f.m.weights, n * sizeof *plain);
			want = s;
		}
		assert_memory_equal(f.m.weights, plain, n * sizeof *plain);
		assert_near(s.grad_norm, want.grad_norm, 1e-6 * want.grad_norm);
		trainer_swap_average(t);
		trainer_free(t);
	}
	/* Where a batch is several micro-batches, parts must wait. */
	f.options.fuse = true;
	f.options.batch_tokens = 20;
	for (int fuse = 0; fuse < 2; fuse++) {
		struct trainer *t;

		f.options.fuse = fuse;
		memcpy(f.m.weights, f.start, n * sizeof *f.start);
		t = new_trainer();
		assert_int_equal(trainer_step(t, f.examples, 4, 0.01, &s, &err), 0);
		assert_int_equal(trainer_step(t, f.examples, 1, 0.01, &s, &err), 0); /* one that fits, between */
		assert_int_equal(trainer_step(t, f.examples, 4, 0.01, &s, &err), 0);
		if (!fuse)
			memcpy(plain, f.m.weights, n * sizeof *plain);
		assert_memory_equal(f.m.weights, plain, n * sizeof *plain);
		trainer_free(t);
	}
	free(plain);
}

static size_t said(int64_t rows, int64_t counted, bool single)
{
	struct err err = ERR_INIT;
	size_t bytes;

	assert_int_equal(trainer_memory(&f.m, ops_find("cpu"), &f.options, rows, counted, 20, single, &bytes, &err), 0);
	return bytes;
}

static void memory_is_said(void **state)
{
	size_t least = 16 * f.m.params.count, some = said(100, 50, false);

	(void)state;
	assert_true(some > least);
	assert_true(said(200, 100, false) > some);
	assert_true(said(200, 100, false) - least <= 2 * (some - least));
	f.options.recompute = true;
	assert_true(said(100, 50, true) < some);
	f.options.fuse = true;
	assert_true(said(100, 50, true) < said(100, 50, false));
	trainer_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(schedules),
		cmocka_unit_test_setup(step_gradient, start),
		cmocka_unit_test_setup(frugal_steps_are_the_same, start),
		cmocka_unit_test_setup(micro_batches_add_up, start),
		cmocka_unit_test_setup(clipping, start),
		cmocka_unit_test_setup(decay_is_for_matrices, start),
		cmocka_unit_test_setup(adamw_over_steps, start),
		cmocka_unit_test_setup(metrics_of_a_step, start),
		cmocka_unit_test_setup(accuracy_is_strict, start),
		cmocka_unit_test_setup(first_step_starts_at_ln_2, start),
		cmocka_unit_test_setup(gate, start),
		cmocka_unit_test_setup(what_is_not_finite_stops, start),
		cmocka_unit_test_setup(unfit_examples_are_refused, start),
		cmocka_unit_test_setup(steps_merge_by_what_they_stand_for, start),
		cmocka_unit_test_setup(memory_is_said, start),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
