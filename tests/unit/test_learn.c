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

/* ---- losses */

static void golden_vectors(void **state)
{
	static const struct {
		double smoothing, loss, gw;
	} golden[] = {{0, 0.586962002, -0.044398611}, {0.1, 0.609462002, -0.034398611}};
	static const double batch[3][4] = {
		{-10.5, -14.25, -11, -12.5}, {-20, -18, -19, -19.5}, {-7.25, -9, -8, -8.5}};
	struct loss l = {LOSS_SIGMOID, 0.1, 0};
	double gw, gl, mean = 0;

	(void)state;
	for (size_t i = 0; i < sizeof golden / sizeof *golden; i++) {
		l.smoothing = golden[i].smoothing;
		assert_near(loss_pair(&l, -10.5, -14.25, -11, -12.5, &gw, &gl), golden[i].loss, 1e-9);
		assert_near(gw, golden[i].gw, 1e-9);
		assert_near(gl, -golden[i].gw, 1e-9);
	}
	l.smoothing = 0;
	for (int i = 0; i < 3; i++)
		mean += loss_pair(&l, batch[i][0], batch[i][1], batch[i][2], batch[i][3], &gw, &gl) / 3;
	assert_near(mean, 0.681833486, 1e-9);
}

static void loss_gradients(void **state)
{
	(void)state;
	for (int i = 0; i < 2000; i++) {
		double u[8], p[4], gw, gl, up, down, ignored, h = 1e-5;
		struct loss l = {LOSS_SIGMOID, 0, 0};

		for (int k = 0; k < 8; k++)
			u[k] = rng_uniform(5, (uint64_t)k, (uint64_t)i);
		for (int k = 0; k < 4; k++)
			p[k] = -60 * u[k];
		l.beta = exp(log(0.01) + u[4] * log(500));
		l.smoothing = i % 3 ? 0.49 * u[5] : 0;
		loss_pair(&l, p[0], p[1], p[2], p[3], &gw, &gl);
		up = loss_pair(&l, p[0] + h, p[1], p[2], p[3], &ignored, &ignored);
		down = loss_pair(&l, p[0] - h, p[1], p[2], p[3], &ignored, &ignored);
		assert_near(gw, (up - down) / (2 * h), 1e-6 * l.beta);
		up = loss_pair(&l, p[0], p[1] + h, p[2], p[3], &ignored, &ignored);
		down = loss_pair(&l, p[0], p[1] - h, p[2], p[3], &ignored, &ignored);
		assert_near(gl, (up - down) / (2 * h), 1e-6 * l.beta);
	}
}

static void loss_at_its_ends(void **state)
{
	struct loss l = {LOSS_SIGMOID, 1, 0};
	double gw, gl;

	(void)state;
	assert_near(loss_log_sigmoid(0), -M_LN2, 1e-15);
	assert_true(loss_log_sigmoid(-1e300) == -1e300);
	assert_true(loss_log_sigmoid(1e300) == 0);
	assert_near(loss_log_sigmoid(-800), -800, 0);
	assert_near(loss_log_sigmoid(40) / -exp(-40), 1, 1e-12); /* no digits lost where 1 + exp(-x) is 1 */
	assert_near(loss_log_sigmoid(-40), -40, 1e-14);

	/* The policy is wrong beyond all measure: slope -beta, loss a line. */
	assert_near(loss_pair(&l, -1e6, 0, 0, -1e6, &gw, &gl), 2e6, 1e-6);
	assert_near(gw, -1, 0);
	assert_near(gl, 1, 0);
	/* Right beyond all measure: nothing left to learn. */
	assert_near(loss_pair(&l, 0, -1e6, -1e6, 0, &gw, &gl), 0, 0);
	assert_near(gw, 0, 0);
	/* With smoothing there is: being so sure costs eps. */
	l.smoothing = 0.1;
	assert_near(loss_pair(&l, 0, -1e6, -1e6, 0, &gw, &gl), 0.1 * 2e6, 1e-6);
	assert_near(gw, 0.1, 1e-15);
	assert_near(gl, -0.1, 1e-15);
	l.beta = 1e6;
	loss_pair(&l, -3e5, 0, 0, -3e5, &gw, &gl);
	assert_true(isfinite(gw) && isfinite(gl));
	for (double beta = 1e-6; beta < 1e7; beta *= 10)
		for (double eps = 0; eps < 0.5; eps += 0.1)
			assert_near(loss_at_start(&(struct loss){LOSS_SIGMOID, beta, eps}), M_LN2, 1e-15);
	assert_true(loss_needs_reference(LOSS_SIGMOID));
	assert_false(loss_needs_reference(LOSS_SFT));
	assert_string_equal(loss_names[LOSS_SIGMOID], "sigmoid");
	assert_string_equal(loss_names[LOSS_SFT], "sft");
}

/* ---- schedules */

static void schedules(void **state)
{
	static const struct {
		enum schedule_kind kind;
		int64_t step, warmup, steps;
		double factor;
	} golden[] = {
		{SCHEDULE_LINEAR, 0, 4, 20, 0}, {SCHEDULE_LINEAR, 1, 4, 20, 0.25}, {SCHEDULE_LINEAR, 3, 4, 20, 0.75},
		{SCHEDULE_LINEAR, 4, 4, 20, 1}, {SCHEDULE_LINEAR, 12, 4, 20, 0.5},
		{SCHEDULE_LINEAR, 19, 4, 20, 1.0 / 16}, {SCHEDULE_LINEAR, 0, 0, 4, 1}, {SCHEDULE_LINEAR, 3, 0, 4, 0.25},
		{SCHEDULE_LINEAR, 0, 0, 1, 1},
		{SCHEDULE_COSINE, 2, 4, 20, 0.5}, {SCHEDULE_COSINE, 4, 4, 20, 1},
		{SCHEDULE_COSINE, 8, 4, 20, 0.85355339059327373}, {SCHEDULE_COSINE, 12, 4, 20, 0.5},
		{SCHEDULE_COSINE, 16, 4, 20, 0.14644660940672627}, {SCHEDULE_COSINE, 0, 0, 3, 1},
		{SCHEDULE_COSINE, 1, 0, 3, 0.75}, {SCHEDULE_COSINE, 2, 0, 3, 0.25},
		{SCHEDULE_CONSTANT, 0, 4, 20, 0}, {SCHEDULE_CONSTANT, 3, 4, 20, 0.75}, {SCHEDULE_CONSTANT, 4, 4, 20, 1},
		{SCHEDULE_CONSTANT, 19, 4, 20, 1}, {SCHEDULE_CONSTANT, 0, 0, 20, 1},
		/* A warm-up as long as the run, or longer: the peak is not reached. */
		{SCHEDULE_LINEAR, 3, 4, 4, 0.75}, {SCHEDULE_COSINE, 3, 8, 4, 0.375}, {SCHEDULE_LINEAR, 4, 4, 4, 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof golden / sizeof *golden; i++)
		assert_near(schedule_factor(golden[i].kind, golden[i].step, golden[i].warmup, golden[i].steps),
			golden[i].factor, 1e-15);
	assert_string_equal(schedule_names[SCHEDULE_LINEAR], "linear");
	assert_string_equal(schedule_names[SCHEDULE_COSINE], "cosine");
	assert_string_equal(schedule_names[SCHEDULE_CONSTANT], "constant");
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
	float ref[4][2];
	float *start; /* [m.params.count] the weights as they were */
	struct trainer_options options;
};

static struct fixture f;

static void read_reference(void)
{
	struct err err = ERR_INIT;
	struct pack p = PACK_INIT;
	struct decoder *d = decoder_new(&f.m, ops_find("reference"), false, &err);
	struct logp_row rows[32];
	int64_t at = 0;

	assert_non_null(d);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pack_add(&p, tokens, seg[i], 2, uncounted[i], &err), 0);
	assert_true(p.counted <= 32);
	assert_int_equal(decoder_forward(d, &p, rows, &err), 0);
	for (int i = 0; i < 4; i++)
		for (int c = 0; c < 2; c++) {
			double sum = 0;

			for (int64_t n = seg[i][c + 2] - seg[i][c + 1] - uncounted[i][c]; n > 0; n--)
				sum += rows[at++].logp;
			f.ref[i][c] = (float)sum;
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

/* Before each test: the weights, the records and the options as they were. */
static int start(void **state)
{
	(void)state;
	memcpy(f.m.weights, f.start, f.m.params.count * sizeof *f.start);
	read_reference();
	for (int i = 0; i < 4; i++)
		f.examples[i] = (struct example){(uint64_t)i + 0xabc0, 2, tokens, seg[i], uncounted[i], f.ref[i]};
	f.options = (struct trainer_options){
		.loss = {LOSS_SIGMOID, 0.1, 0},
		.beta1 = 0.9,
		.beta2 = 0.999,
		.eps = 1e-8,
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
static float *gradient(struct trainer_step *s)
{
	struct trainer_options saved = f.options;
	struct err err = ERR_INIT;
	size_t n = f.m.params.count;
	float *before = mem_new(n, sizeof *before, &err);
	struct trainer *t;

	f.options.eps = 1e9;
	f.options.clip = f.options.weight_decay = 0;
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
	struct trainer_step s;
	struct err err = ERR_INIT;

	assert_int_equal(trainer_evaluate(arg, f.examples, 4, &s, &err), 0);
	return s.loss;
}

static void check_step_gradient(const char *what)
{
	struct trainer_step s;
	float *g = gradient(&s);
	struct trainer *t = new_trainer();
	double squares = 0;

	for (size_t i = 0; i < f.m.params.count; i++)
		squares += (double)g[i] * g[i];
	assert_near(s.grad_norm, sqrt(squares), 1e-4 * s.grad_norm);
	for (size_t i = 0; i < f.m.params.n; i++) {
		const struct param *p = &f.m.params.param[i];
		char name[200];

		snprintf(name, sizeof name, "%s: %s", what, p->name);
		check_gradient(name, loss_value, t, f.m.weights + p->offset, g + p->offset, (int64_t)p->count, 1e-2);
	}
	trainer_free(t);
	free(g);
}

static void step_gradient(void **state)
{
	(void)state;
	f.options.loss.beta = 2;
	check_step_gradient("dpo");
	f.options.loss.smoothing = 0.2;
	check_step_gradient("cdpo");
	f.options.loss.kind = LOSS_SFT;
	check_step_gradient("sft");
}

static void micro_batches_add_up(void **state)
{
	static const int64_t budgets[] = {1, 9, 16, 25, 1 << 24};
	struct trainer_step one, s;
	float *g, *h;

	(void)state;
	for (f.options.loss.kind = LOSS_SIGMOID; f.options.loss.kind <= LOSS_SFT; f.options.loss.kind++) {
		f.options.batch_tokens = 1000;
		g = gradient(&one);
		for (size_t i = 0; i < sizeof budgets / sizeof *budgets; i++) {
			f.options.batch_tokens = budgets[i];
			h = gradient(&s);
			check_close("gradient", h, g, (int64_t)f.m.params.count, 1e-5);
			assert_near(s.loss, one.loss, 1e-6);
			assert_near(s.grad_norm, one.grad_norm, 1e-5 * one.grad_norm);
			assert_near(s.entropy, one.entropy, 1e-6);
			assert_int_equal(s.tokens, one.tokens);
			free(h);
		}
		free(g);
	}
}

static void clipping(void **state)
{
	struct trainer_step s;
	struct err err = ERR_INIT;
	size_t n = f.m.params.count;
	float *g = gradient(&s), *moved = mem_new(n, sizeof *moved, &err);
	struct trainer *t;
	double norm = s.grad_norm;

	(void)state;
	f.options.eps = 1e9;
	for (int large = 0; large < 2; large++) {
		f.options.clip = large ? norm * 1.5 : norm / 4;
		t = new_trainer();
		assert_int_equal(trainer_step(t, f.examples, 4, 1e9, &s, &err), 0);
		assert_near(s.grad_norm, norm, 0); /* before clipping */
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
	struct trainer_step s;
	struct err err = ERR_INIT;
	struct trainer *t;

	(void)state;
	f.options.eps = 1e9; /* leaves nothing but decay */
	f.options.weight_decay = 0.01;
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
	struct trainer_step s;
	struct trainer *t;

	(void)state;
	f.options.loss.kind = LOSS_SFT; /* has no gate, which would stop the second trainer */
	f.options.beta2 = 0.95;
	f.options.eps = 1e-3;
	f.options.weight_decay = 0.1;
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
	double logp[4][2] = {{0}}, chosen_logit = 0, rejected_logit = 0, entropy = 0, hits = 0, loss = 0, gw, gl;
	double reward[2] = {0}, mean[2] = {0}, margin = 0, right = 0;
	int64_t n[2] = {0}, at = 0;
	struct trainer_step s;
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
		loss += loss_pair(&f.options.loss, logp[i][0], logp[i][1], f.ref[i][0], f.ref[i][1], &gw, &gl) / 4;
		for (int c = 0; c < 2; c++) {
			mean[c] += logp[i][c] / 4;
			reward[c] += 0.1 * (logp[i][c] - f.ref[i][c]) / 4;
		}
		right += logp[i][0] - f.ref[i][0] > logp[i][1] - f.ref[i][1];
	}
	margin = reward[0] - reward[1];
	assert_near(s.loss, loss, 1e-12);
	assert_near(s.chosen_logp, mean[0], 1e-12);
	assert_near(s.rejected_logp, mean[1], 1e-12);
	assert_near(s.chosen_reward, reward[0], 1e-12);
	assert_near(s.rejected_reward, reward[1], 1e-12);
	assert_near(s.margin, margin, 1e-12);
	assert_near(s.accuracy, right / 4, 0);
	assert_true(right > 0 && right < 4);
	assert_near(s.chosen_logit, chosen_logit / (double)n[0], 1e-12);
	assert_near(s.rejected_logit, rejected_logit / (double)n[1], 1e-12);
	assert_near(s.entropy, entropy / (double)(n[0] + n[1]), 1e-12);
	assert_near(s.hits, hits / (double)n[0], 1e-12);
	assert_int_equal(s.counted, n[0] + n[1]);
	assert_int_equal(s.chosen_counted, n[0]);
	assert_int_equal(s.examples, 4);
	assert_int_equal(s.tokens, 8 + 9 + 10 + 14); /* each prompt once */
	assert_near(s.grad_norm, 0, 0);
	assert_false(weights_moved());

	/* Supervised: the first completions alone. */
	f.options.loss.kind = LOSS_SFT;
	trainer_free(t);
	t = new_trainer();
	assert_int_equal(trainer_evaluate(t, f.examples, 4, &s, &err), 0);
	assert_near(s.loss, -4 * mean[0] / (double)n[0], 1e-7);
	assert_near(s.chosen_logp, mean[0], 1e-6);
	assert_near(s.hits, hits / (double)n[0], 1e-12);
	assert_int_equal(s.counted, n[0]);
	assert_int_equal(s.tokens, 6 + 4 + 6 + 11);
	trainer_free(t);
}

static void accuracy_is_strict(void **state)
{
	static const int32_t twice[] = {1, 2, 3, 4, 3, 4};
	static const int64_t twice_seg[] = {0, 2, 4, 6}, none[2];
	float ref[2] = {-1, -1};
	struct example e = {1, 2, twice, twice_seg, none, ref};
	struct trainer *t = new_trainer();
	struct trainer_step s;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(trainer_evaluate(t, &e, 1, &s, &err), 0);
	assert_near(s.accuracy, 0, 0);
	assert_near(s.margin, 0, 0);
	assert_near(s.loss, M_LN2, 1e-15);
	trainer_free(t);
}

static void first_step_starts_at_ln_2(void **state)
{
	struct trainer_step s;
	struct err err = ERR_INIT;

	(void)state;
	for (double beta = 0.1; beta < 10; beta *= 5) {
		struct trainer *t;

		memcpy(f.m.weights, f.start, f.m.params.count * sizeof *f.start);
		f.options.loss = (struct loss){LOSS_SIGMOID, beta, beta > 1 ? 0.3 : 0};
		t = new_trainer();
		assert_int_equal(trainer_step(t, f.examples, 4, 1e-4, &s, &err), 0);
		assert_near(s.loss, M_LN2, 1e-5);
		assert_near(s.margin, 0, 1e-5 * beta);
		assert_int_equal(trainer_evaluate(t, f.examples, 4, &s, &err), 0);
		assert_true(s.loss < M_LN2 - 1e-4 * beta);
		assert_true(s.margin > 1e-4 * beta);
		trainer_free(t);
	}
}

static void gate(void **state)
{
	struct trainer_step s;
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
	f.options.loss.beta = 100;
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
	struct trainer_step s;
	struct err err = ERR_INIT;
	struct trainer *t;

	(void)state;
	for (f.options.loss.kind = LOSS_SIGMOID; f.options.loss.kind <= LOSS_SFT; f.options.loss.kind++) {
		t = new_trainer();
		/* A token that only the last record has. */
		f.m.weights[embed->offset + 18 * 8] = NAN;
		assert_int_equal(trainer_step(t, f.examples, 4, 0.01, &s, &err), -1);
		assert_int_equal(err.code, ERR_FAILED);
		assert_non_null(strstr(err.text, "step 1, record 000000000000abc3: its "));
		assert_int_equal(trainer_evaluate(t, f.examples, 4, &s, &err), -1);
		memcpy(f.m.weights, f.start, f.m.params.count * sizeof *f.start);
		trainer_free(t);
	}
	/* An infinite reference. */
	f.options.loss.kind = LOSS_SIGMOID;
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
	struct example wide = {7, 3, tokens, three, none, ref}, empty = f.examples[0];
	struct trainer_step s;
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
	f.options.loss.kind = LOSS_SFT;
	t = new_trainer();
	assert_int_equal(trainer_completions(&f.options, &wide), 1);
	assert_int_equal(trainer_step(t, &wide, 1, 0.01, &s, &err), 0);
	assert_int_equal(s.tokens, 4);
	assert_int_equal(trainer_step(t, &empty, 1, 0.01, &s, &err), 0);
	trainer_free(t);
}

static void steps_merge_by_what_they_stand_for(void **state)
{
	struct trainer_step parts[2], all, sum = {0};
	struct err err = ERR_INIT;
	struct trainer *t;

	(void)state;
	for (int i = 0; i < 4; i++)
		f.ref[i][0] -= (float)i;
	for (f.options.loss.kind = LOSS_SIGMOID; f.options.loss.kind <= LOSS_SFT; f.options.loss.kind++) {
		t = new_trainer();
		assert_int_equal(trainer_evaluate(t, f.examples, 4, &all, &err), 0);
		assert_int_equal(trainer_evaluate(t, f.examples, 1, &parts[0], &err), 0);
		assert_int_equal(trainer_evaluate(t, f.examples + 1, 3, &parts[1], &err), 0);
		sum = (struct trainer_step){0};
		trainer_step_merge(&sum, &parts[0]);
		trainer_step_merge(&sum, &parts[1]);
		assert_int_equal(sum.examples, all.examples);
		assert_int_equal(sum.tokens, all.tokens);
		assert_int_equal(sum.counted, all.counted);
		assert_int_equal(sum.chosen_counted, all.chosen_counted);
		assert_near(sum.loss, all.loss, 1e-6);
		assert_near(sum.chosen_logp, all.chosen_logp, 1e-5);
		assert_near(sum.rejected_logp, all.rejected_logp, 1e-5);
		assert_near(sum.chosen_reward, all.chosen_reward, 1e-6);
		assert_near(sum.rejected_reward, all.rejected_reward, 1e-6);
		assert_near(sum.accuracy, all.accuracy, 1e-12);
		assert_near(sum.margin, all.margin, 1e-6);
		assert_near(sum.chosen_logit, all.chosen_logit, 1e-6);
		assert_near(sum.rejected_logit, all.rejected_logit, 1e-6);
		assert_near(sum.entropy, all.entropy, 1e-6);
		assert_near(sum.hits, all.hits, 1e-12);
		trainer_free(t);
	}
}

static void memory_is_said(void **state)
{
	struct trainer *t = new_trainer();
	size_t least = 16 * f.m.params.count, some = trainer_memory(t, 100, 50, 20);

	(void)state;
	assert_true(some > least);
	assert_true(trainer_memory(t, 200, 100, 20) > some);
	assert_true(trainer_memory(t, 200, 100, 20) - least <= 2 * (some - least));
	trainer_free(t);
	trainer_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden_vectors),
		cmocka_unit_test(loss_gradients),
		cmocka_unit_test(loss_at_its_ends),
		cmocka_unit_test(schedules),
		cmocka_unit_test_setup(step_gradient, start),
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
