/* The losses: golden vectors, derivatives by central differences, values at the start, ends, options. */
#include "tests/unit/support/check.h"

#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "learn/loss.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define MAX_N 6
#define MAX_K 5

#define assert_near(got, want, tolerance) near_(got, want, tolerance, #got, __LINE__)

static void near_(double got, double want, double tolerance, const char *what, int line)
{
	if (!(fabs(got - want) <= tolerance))
		fail_msg("line %d: %s is %.12g, should be %.12g", line, what, got, want);
}

/* ---- a batch */

struct batch {
	struct loss_example e[MAX_N];
	int64_t n;
	double p[MAX_N][MAX_K], q[MAX_N][MAX_K], raw[MAX_N][MAX_K], gp[MAX_N][MAX_K], graw[MAX_N][MAX_K];
	int64_t len[MAX_N][MAX_K];
	float label[MAX_N][MAX_K];
	struct loss_state state;
	struct loss_seen seen;
};

static void set_up(struct batch *b, int64_t n, int k)
{
	*b = (struct batch){.n = n, .state = LOSS_STATE_INIT};
	for (int64_t i = 0; i < n; i++) {
		b->e[i] = (struct loss_example){.k = k, .p = b->p[i], .q = b->q[i], .raw = b->raw[i], .n = b->len[i],
			.gp = b->gp[i], .graw = b->graw[i], .weight = 1};
		for (int c = 0; c < k; c++)
			b->len[i][c] = 1;
	}
}

static double eval(const struct loss *l, struct batch *b, bool learn)
{
	struct loss_totals totals = {b->n, 0};
	struct err err = ERR_INIT;
	double value;

	for (int64_t i = 0; i < b->n; i++)
		totals.tokens += b->len[i][0];
	assert_int_equal(loss_state_reserve(&b->state, b->n, &err), 0);
	value = loss_eval(l, &b->state, learn, b->e, b->n, &totals, &b->seen);
	return value;
}

static struct loss settled(const char *text, unsigned given, struct loss_params params)
{
	struct err err = ERR_INIT;
	struct loss l;

	if (loss_parse(&l, text, &err))
		fail_msg("%s: %s", text, err.text);
	l.given = given;
	l.params = params;
	if (loss_settle(&l, &err))
		fail_msg("%s: %s", text, err.text);
	return l;
}

/* ---- golden vectors */

/* One pair: p -10.5 and -14.25, q -11 and -12.5, 12 and 9 tokens. */
static struct batch golden_pair(void)
{
	static const double p[] = {-10.5, -14.25}, q[] = {-11, -12.5};
	static const int64_t n[] = {12, 9};
	struct batch b;

	set_up(&b, 1, 2);
	memcpy(b.p[0], p, sizeof p);
	memcpy(b.raw[0], p, sizeof p);
	memcpy(b.q[0], q, sizeof q);
	memcpy(b.len[0], n, sizeof n);
	return b;
}

/* The array was copied with the structure: its pointers follow. */
static void follow(struct batch *b)
{
	for (int64_t i = 0; i < b->n; i++) {
		b->e[i].p = b->p[i];
		b->e[i].q = b->q[i];
		b->e[i].raw = b->raw[i];
		b->e[i].n = b->len[i];
		b->e[i].gp = b->gp[i];
		b->e[i].graw = b->graw[i];
	}
}

static void golden_vectors(void **state)
{
	static const struct {
		const char *loss;
		unsigned given;
		struct loss_params params;
		double value, gw, gl;
	} golden[] = {
		{"sigmoid", 0, {.beta = 0}, 0.586962002, -0.044398611, 0.044398611},
		{"sigmoid", LOSS_SMOOTHING, {.smoothing = 0.1}, 0.609462002, -0.034398611, 0.034398611},
		{"robust", LOSS_SMOOTHING, {.smoothing = 0.1}, 0.558837002, -0.056898611, 0.056898611},
		{"hinge", 0, {.beta = 0}, 0.775, -0.1, 0.1},
		{"ipo", 0, {.beta = 0}, 22.694637346, -0.793981481, 1.058641975},
		{"ipo_sum", 0, {.beta = 0}, 7.5625, -5.5, 5.5},
		{"exo_pair", LOSS_SMOOTHING, {.smoothing = 0.1}, 0.394038831, -0.048686818, 0.048686818},
		{"nca_pair", 0, {.beta = 0}, 1.332424687, -0.023125391, 0.022818066},
		{"bco_pair", 0, {.beta = 0}, 1.277930079, -0.048750260, 0.045636131},
		{"sppo_hard", 0, {.beta = 0}, 30.8125, -9.0, 6.5},
		{"apo_zero", 0, {.beta = 0}, 0.943863916, -0.024984382, 0.024809566},
		{"apo_down", 0, {.beta = 0}, 0.956483506, 0.000298137, 0.024686244},
		{"discopop", 0, {.beta = 0}, 0.796191885, -0.074864508, 0.074864508},
		{"sigmoid_norm", LOSS_BETA, {.beta = 0.1}, 0.681411309, -0.004117479, 0.005489972},
		{"simpo", LOSS_BETA | LOSS_GAMMA, {.beta = 0.1, .gamma = 0.5}, 0.930578971, -0.005047289, 0.006729718},
		{"cpo", LOSS_NLL, {.nll = 0}, 0.523123264, -0.040733340, 0.040733340},
		{"orpo", LOSS_NLL, {.nll = 0}, 0.030848244, -0.003793258, 0.003711194},
		/* By hand: x - lambda max(0, q - p) with p above q is x, and the penalty nothing. */
		{"dpop", 0, {.beta = 0}, 0.586962002, -0.044398611, 0.044398611},
		{"floor", 0, {.beta = 0}, 0, 0, 0},
		/* max(0, 1 + 10.5 - 14.25) = 0, and a tenth of 10.5. */
		{"slic", 0, {.beta = 0}, 1.05, -0.1, 0},
		{"slic", LOSS_BETA, {.beta = 5}, 2.3, -1.1, 1},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(golden); i++) {
		struct loss l = settled(golden[i].loss, golden[i].given, golden[i].params);
		struct batch b = golden_pair();

		follow(&b);
		assert_near(eval(&l, &b, true), golden[i].value, 6e-10);
		assert_near(b.e[0].loss, golden[i].value, 6e-10);
		assert_near(b.gp[0][0], golden[i].gw, 6e-10);
		assert_near(b.gp[0][1], golden[i].gl, 6e-10);
		assert_true(b.graw[0][0] == 0 && b.graw[0][1] == 0);
		loss_state_release(&b.state);
	}
}

static void golden_divergences(void **state)
{
	static const double golden[][3] = {{0.586962002, -0.044398611, 0.044398611},
		{0.468512395, -0.022688328, 0.215260859}, {0.623915758, -0.017523849, 0.039544063},
		{0.544205929, -0.032686082, 0.100680220}};

	(void)state;
	for (size_t d = 0; d < COUNT(golden); d++) {
		struct loss l = settled("sigmoid", 0, (struct loss_params){0});
		struct batch b = golden_pair();

		follow(&b);
		l.divergence = (enum loss_divergence)d;
		assert_near(eval(&l, &b, true), golden[d][0], 6e-10);
		assert_near(b.gp[0][0], golden[d][1], 6e-10);
		assert_near(b.gp[0][1], golden[d][2], 6e-10);
		l.divergence_alpha = 1; /* falls back to reverse KL */
		if (d == LOSS_ALPHA_DIV)
			assert_near(eval(&l, &b, true), golden[0][0], 6e-10);
		loss_state_release(&b.state);
	}
}

static void golden_batches(void **state)
{
	static const double p[3][2] = {{-10.5, -14.25}, {-20, -18}, {-7.25, -9}};
	static const double q[3][2] = {{-11, -12.5}, {-19, -19.5}, {-8, -8.5}};
	static const struct {
		const char *loss;
		double smoothing, value;
	} golden[] = {{"aot", 0.1, 0.685166819}, {"aot_unpaired", 0.1, 0.680698981}, {"sigmoid", 0, 0.681833486}};

	(void)state;
	for (size_t i = 0; i < COUNT(golden); i++) {
		struct loss l = settled(golden[i].loss, LOSS_SMOOTHING, (struct loss_params){.smoothing = golden[i].smoothing});
		struct batch b;
		double sum = 0;

		set_up(&b, 3, 2);
		memset(b.p, 0, sizeof b.p);
		for (int j = 0; j < 3; j++) {
			memcpy(b.p[j], p[j], sizeof p[j]);
			memcpy(b.q[j], q[j], sizeof q[j]);
		}
		assert_near(eval(&l, &b, true), golden[i].value, 6e-10);
		for (int j = 0; j < 3; j++)
			sum += b.e[j].loss / 3;
		assert_near(sum, golden[i].value, 6e-10);
		loss_state_release(&b.state);
	}
}

static void golden_labels(void **state)
{
	static const struct {
		double p, q, kl, label, value;
	} golden[] = {{0.5, 0, 0, 1, 0.487502604}, {0.5, 0, 1.2, 1, 0.517492858}, {-1.75, 0, 0, 0, 0.456361313},
		{-1.75, 0, 1.2, 0, 0.426780227}};

	(void)state;
	for (size_t i = 0; i < COUNT(golden); i++) {
		struct loss l = settled("kto", 0, (struct loss_params){0});
		struct batch b;

		set_up(&b, 1, 2);
		b.label[0][0] = (float)golden[i].label;
		b.label[0][1] = LOSS_PROBE;
		b.e[0].label = b.label[0];
		b.p[0][0] = golden[i].p;
		b.p[0][1] = golden[i].kl;
		assert_near(eval(&l, &b, true), golden[i].value, 6e-10);
		assert_near(b.seen.kl, golden[i].kl, 0);
		assert_true(b.gp[0][1] == 0); /* the estimate is not learnt from */
		b.p[0][1] = -3;
		eval(&l, &b, true);
		assert_near(b.seen.kl, 0, 0);
		l = settled("kto", LOSS_DESIRABLE | LOSS_UNDESIRABLE, (struct loss_params){.desirable = 3, .undesirable = 2});
		b.p[0][1] = golden[i].kl;
		assert_near(eval(&l, &b, true), (golden[i].label > 0 ? 3 : 2) * golden[i].value, 3e-9);
		loss_state_release(&b.state);
	}
}

/* bco_pair with a shift: the mean of all rewards seen, this batch's among them. */
static void running_mean(void **state)
{
	struct loss l = settled("bco", LOSS_BETA, (struct loss_params){.beta = 0.5});
	struct batch b;

	(void)state;
	set_up(&b, 2, 2);
	b.p[0][0] = 4;
	b.p[0][1] = 2;
	b.p[1][0] = 6;
	assert_near(eval(&l, &b, false),
		-(loss_log_sigmoid(2) + loss_log_sigmoid(-1) + loss_log_sigmoid(3) + loss_log_sigmoid(0)) / 2, 1e-15);
	assert_near(b.seen.delta, 0, 0);
	assert_near(eval(&l, &b, true),
		-(loss_log_sigmoid(0.5) + loss_log_sigmoid(0.5) + loss_log_sigmoid(1.5) + loss_log_sigmoid(1.5)) / 2, 1e-15);
	assert_near(b.seen.delta, 1.5, 1e-15);
	b.n = 1;
	b.p[0][0] = b.p[0][1] = 14.5; /* two more, of 7.25 */
	eval(&l, &b, true);
	assert_near(b.seen.delta, (4 * 1.5 + 2 * 7.25) / 6, 1e-14);
	/* One completion with a label is half a pair. */
	for (int good = 0; good < 2; good++) {
		b.e[0].k = 1;
		b.label[0][0] = (float)good;
		b.e[0].label = b.label[0];
		assert_near(eval(&l, &b, false), -loss_log_sigmoid((good ? 1 : -1) * (7.25 - b.state.mean)), 1e-14);
	}
	loss_state_release(&b.state);
}

static void rankings(void **state)
{
	struct loss pl = settled("plackett_luce", LOSS_BETA, (struct loss_params){.beta = 0.3});
	struct loss pair = settled("sigmoid", LOSS_BETA, (struct loss_params){.beta = 0.3});
	struct batch b;
	double two;

	(void)state;
	set_up(&b, 1, 2);
	b.p[0][0] = -3;
	b.p[0][1] = -5;
	b.q[0][1] = 4;
	two = eval(&pair, &b, true);
	assert_near(eval(&pl, &b, true), two, 1e-15); /* of two it is DPO */
	loss_state_release(&b.state);
	set_up(&b, 1, 4);
	assert_near(eval(&pl, &b, true), log(24), 1e-14); /* nothing known: one of 4! orders */
	loss_state_release(&b.state);
}

static void lists_and_tokens(void **state)
{
	struct loss l = settled("sigmoid:0.8,bco_pair:0.2,sft", 0, (struct loss_params){0});
	struct batch b = golden_pair();

	(void)state;
	follow(&b);
	b.raw[0][0] = -12; /* apart from the weighted sum */
	assert_near(eval(&l, &b, true), 0.8 * 0.586962002 + 0.2 * 1.277930079 + 1, 6e-10);
	assert_near(b.gp[0][0], -0.8 * 0.044398611 - 0.2 * 0.048750260, 6e-10);
	assert_near(b.graw[0][0], -1.0 / 12, 1e-15);
	l = settled("cpo", 0, (struct loss_params){0}); /* with the negative log-prob of chosen, by token */
	assert_near(eval(&l, &b, true), 0.523123264 + 1, 6e-10);
	assert_near(b.graw[0][0], -1.0 / 12, 1e-15);
	l = settled("orpo", 0, (struct loss_params){0});
	assert_near(eval(&l, &b, true), 0.030848244 + 10.5 / 12, 6e-10);
	assert_near(b.gp[0][0], -0.003793258 - 1.0 / 12, 6e-10);
	b.e[0].weight = 0.25; /* WPO's */
	l = settled("sigmoid", 0, (struct loss_params){0});
	assert_near(eval(&l, &b, true), 0.586962002 / 4, 6e-10);
	assert_near(b.gp[0][1], 0.044398611 / 4, 6e-10);
	b.e[0].weight = 1;
	b.e[0].q = NULL;
	assert_near(eval(&l, &b, true), -loss_log_sigmoid(0.375), 1e-15);
	l = settled("aot", 0, (struct loss_params){0}); /* of one pair: the same */
	assert_near(eval(&l, &b, true), -loss_log_sigmoid(0.375), 1e-15);
	l = settled("plackett_luce", 0, (struct loss_params){0});
	assert_near(eval(&l, &b, true), -loss_log_sigmoid(0.375), 1e-15);
	l = settled("bco", 0, (struct loss_params){0}); /* rewards of -1.05 and -1.425, mean -1.2375 */
	assert_near(eval(&l, &b, true), -2 * loss_log_sigmoid(0.1875), 1e-15);
	loss_state_release(&b.state);
}

/* ---- derivatives */

static double draw(int i, int k)
{
	return rng_uniform(5, (uint64_t)k, (uint64_t)i);
}

static void fill_batch(struct batch *b, int id, int i)
{
	const struct loss_kind *kind = &loss_kinds[id];
	int k = kind->takes == LOSS_RANKINGS ? 2 + i % (MAX_K - 1) : kind->takes == LOSS_EITHER && i % 3 == 0 ? 1 : 2;

	set_up(b, kind->batch ? 1 + i % MAX_N : 1, k);
	for (int64_t j = 0; j < b->n; j++) {
		for (int c = 0; c < k; c++) {
			b->len[j][c] = 1 + (int64_t)(20 * draw(i, 100 + (int)j * 10 + c));
			b->p[j][c] = b->raw[j][c] = -0.02 - 30 * draw(i, 200 + (int)j * 10 + c);
			b->q[j][c] = b->p[j][c] + 8 * (draw(i, 300 + (int)j * 10 + c) - 0.5);
		}
		b->label[j][0] = (i + (int)j) % 2 ? 1 : 0;
		if (kind->takes == LOSS_LABELLED)
			b->label[j][1] = LOSS_PROBE;
		b->e[j].label = k == 1 || kind->takes == LOSS_LABELLED ? b->label[j] : NULL;
		b->e[j].weight = kind->uses & LOSS_WPO ? 0.5 + draw(i, 400 + (int)j) : 1;
	}
}

static struct loss random_loss(int id, int i)
{
	unsigned uses = loss_kinds[id].uses;
	struct loss_params p = {.beta = exp(log(0.02) + draw(i, 1) * log(50)), .smoothing = 0.01 + 0.45 * draw(i, 2),
		.gamma = draw(i, 3), .tau = 0.05 + 0.9 * draw(i, 4), .alpha = 0.05 + 0.4 * draw(i, 5), .penalty = 5 * draw(i, 6),
		.nll = draw(i, 7), .desirable = 0.5 + draw(i, 8), .undesirable = 0.5 + draw(i, 9)};
	struct loss l = settled(loss_kinds[id].name, uses & 0x1ff, p);

	l.term[0].weight = 0.3 + draw(i, 10);
	if (uses & LOSS_DIVERGENCE)
		l.divergence = (enum loss_divergence)(i % 4);
	l.divergence_alpha = 0.1 + draw(i, 11);
	return l;
}

static void derivatives(void **state)
{
	const double h = 1e-5;

	(void)state;
	for (int id = 0; id < LOSS_IDS; id++)
		for (int i = 0; i < 300; i++) {
			struct loss l = random_loss(id, i);
			struct batch b, moved;
			double g, up, down, size;

			fill_batch(&b, id, i);
			eval(&l, &b, false);
			for (int64_t j = 0; j < b.n; j++)
				for (int c = 0; c < b.e[j].k; c++) {
					moved = b;
					follow(&moved);
					moved.p[j][c] += h;
					moved.raw[j][c] += h;
					up = eval(&l, &moved, false);
					moved.p[j][c] -= 2 * h;
					moved.raw[j][c] -= 2 * h;
					down = eval(&l, &moved, false);
					g = b.gp[j][c] + b.graw[j][c];
					size = 1e-5 * fmax(1e-3, fmax(fabs(g), fabs(up)));
					/* Beside a hinge, a step of h may fall on both sides of it; kto's estimate is detached. */
					if (fabs(g - (up - down) / (2 * h)) > size && !(id == LOSS_KTO && c == 1))
						fail_msg("%s, case %d, example %d, completion %d: %.12g, by differences %.12g",
							loss_kinds[id].name, i, (int)j, c, g, (up - down) / (2 * h));
				}
			loss_state_release(&b.state);
		}
}

/* ---- the start, and the ends */

static void at_the_start(void **state)
{
	static const struct {
		const char *loss;
		double value;
	} golden[] = {{"sigmoid", M_LN2}, {"robust", M_LN2}, {"sigmoid_norm", M_LN2}, {"aot", M_LN2}, {"aot_unpaired", M_LN2},
		{"hinge", 1}, {"ipo", 25}, {"ipo_sum", 25}, {"nca_pair", 2 * M_LN2}, {"bco_pair", 2 * M_LN2}, {"bco", 2 * M_LN2},
		{"sppo_hard", 50}, {"apo_zero", 1}, {"apo_down", 1}, {"dpop", M_LN2}, {"floor", 0},
		{"discopop", 0.5 * M_LN2 + 0.5}};

	(void)state;
	for (size_t i = 0; i < COUNT(golden); i++)
		for (int d = 0; d < 4; d++) {
			struct loss l = settled(golden[i].loss, 0, (struct loss_params){0});
			struct batch b = golden_pair();

			follow(&b);
			memcpy(b.p[0], b.q[0], sizeof b.p[0]);
			if (loss_kinds[l.term[0].id].uses & LOSS_DIVERGENCE)
				l.divergence = (enum loss_divergence)d;
			/* IPO divides the constant of a score that is not 0 by lengths that differ. */
			if (d && l.term[0].id != LOSS_SIGMOID && l.term[0].id != LOSS_HINGE && l.term[0].id != LOSS_ROBUST)
				continue;
			assert_near(eval(&l, &b, false), golden[i].value, 1e-12);
			loss_state_release(&b.state);
		}
}

static void at_its_ends(void **state)
{
	static const double values[] = {-1e6, -800, -90, -1e-9, 0};

	(void)state;
	assert_near(loss_log_sigmoid(0), -M_LN2, 1e-15);
	assert_true(loss_log_sigmoid(-1e300) == -1e300 && loss_log_sigmoid(1e300) == 0);
	assert_near(loss_log_sigmoid(40) / -exp(-40), 1, 1e-12); /* no digits lost where 1 + exp(-x) is 1 */
	for (int id = 0; id < LOSS_IDS; id++)
		for (size_t i = 0; i < COUNT(values); i++)
			for (size_t j = 0; j < COUNT(values); j++)
				for (int d = 0; d < 4; d++) {
					struct loss l = settled(loss_kinds[id].name, 0, (struct loss_params){0});
					struct batch b;

					if (loss_kinds[id].uses & LOSS_DIVERGENCE)
						l.divergence = (enum loss_divergence)d;
					fill_batch(&b, id, 1);
					for (int64_t n = 0; n < b.n; n++)
						for (int c = 0; c < b.e[n].k; c++) {
							b.p[n][c] = b.raw[n][c] = values[c % 2 ? j : i];
							b.q[n][c] = values[c % 2 ? i : j];
						}
					if (!isfinite(eval(&l, &b, true)))
						fail_msg("%s at %g, %g: not finite", loss_kinds[id].name, values[i], values[j]);
					for (int64_t n = 0; n < b.n; n++)
						for (int c = 0; c < b.e[n].k; c++)
							if (!isfinite(b.gp[n][c]))
								fail_msg("%s at %g, %g: derivative %g", loss_kinds[id].name, values[i],
									values[j], b.gp[n][c]);
					loss_state_release(&b.state);
				}
}

/* ---- options */

static void lists_are_parsed(void **state)
{
	static const char *const good[] = {"sigmoid", "sigmoid:1,sft:0.2", "kto", "sigmoid:0.8,bco_pair:0.2,sft:1e0"};
	static const char *const bad[][2] = {{"", "'' is none of sigmoid, hinge, "},
		{"dpo", "'dpo' is none of sigmoid, hinge, "}, {"sigmoid,", "'' is none of sigmoid, hinge, "},
		{"sigmoid:", "'' is no weight above 0"}, {"sigmoid:0", "'0' is no weight above 0"},
		{"sigmoid:1x", "'1x' is no weight"}, {"sigmoid:nan", "'nan' is no weight"}, {"sft,sft", "a loss is named twice"},
		{"sigmoid:-1", "'-1' is no weight"}};
	struct err err = ERR_INIT;
	struct loss l;

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++)
		assert_int_equal(loss_parse(&l, good[i], &err), 0);
	assert_int_equal(l.n, 3);
	assert_near(l.term[1].weight, 0.2, 0);
	assert_int_equal(l.term[2].id, LOSS_SFT);
	for (size_t i = 0; i < COUNT(bad); i++) {
		assert_int_equal(loss_parse(&l, bad[i][0], &err), -1);
		assert_int_equal(err.code, ERR_USAGE);
		assert_non_null(strstr(err.text, bad[i][1]));
	}
}

static void options_must_mean_something(void **state)
{
	static const struct {
		const char *loss;
		unsigned given;
		const char *why; /* NULL: it does */
	} cases[] = {
		{"sigmoid", LOSS_BETA, NULL},
		{"sft", LOSS_BETA, "--beta has no effect"},
		{"sigmoid,sft", LOSS_BETA, NULL},
		{"hinge", LOSS_SMOOTHING, "--label-smoothing has no effect"},
		{"hinge,robust", LOSS_SMOOTHING, NULL},
		{"sigmoid", LOSS_GAMMA, "--gamma has no effect"},
		{"sigmoid", LOSS_TAU, "--tau has no effect"},
		{"simpo", LOSS_NLL, "--nll has no effect"},
		{"kto", LOSS_LD_ALPHA, "--ld-alpha has no meaning for loss kto"},
		{"sigmoid,sft", LOSS_LD_ALPHA, NULL},
		{"sft", LOSS_LD_ALPHA, "--ld-alpha has no effect"},
		{"sft", LOSS_WPO, "--wpo has no effect"},
		{"apo_zero", LOSS_DIVERGENCE, "--f-divergence has no meaning for loss apo_zero"},
		{"sigmoid,aot", LOSS_DIVERGENCE, "--f-divergence has no meaning for loss aot"},
		{"sigmoid", LOSS_DIVERGENCE | LOSS_DIVERGENCE_ALPHA, "--f-alpha has no effect without"},
		{"simpo", LOSS_REFERENCE_FREE, "--reference-free has no meaning for loss simpo"},
		{"sigmoid", LOSS_REFERENCE_FREE, NULL},
		{"exo_pair", LOSS_SMOOTHING, NULL},
		{"kto,sigmoid", 0, "records of different kinds"},
		{"kto,sft", 0, NULL},
		{"plackett_luce,hinge", 0, "records of different kinds"},
	};
	struct err err = ERR_INIT;
	struct loss l;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(loss_parse(&l, cases[i].loss, &err), 0);
		l.given = cases[i].given;
		l.params = (struct loss_params){.beta = 0.2, .smoothing = 0.1, .gamma = 1, .tau = 0.1, .nll = 1};
		l.divergence = LOSS_JS;
		if (loss_settle(&l, &err) != (cases[i].why ? -1 : 0))
			fail_msg("%s: %s", cases[i].loss, err.text);
		if (cases[i].why)
			assert_non_null(strstr(err.text, cases[i].why));
	}
	assert_int_equal(loss_parse(&l, "sigmoid", &err), 0);
	l.given = LOSS_BETA;
	l.params.beta = 0;
	assert_int_equal(loss_settle(&l, &err), -1);
	assert_non_null(strstr(err.text, "--beta: 0 is not above 0 to 1e+06"));
	assert_int_equal(loss_parse(&l, "exo_pair", &err), 0);
	l.given = LOSS_SMOOTHING;
	l.params.smoothing = 0;
	assert_int_equal(loss_settle(&l, &err), -1);
}

static void records_must_fit(void **state)
{
	static const float good[] = {1, LOSS_PROBE}, bad[] = {0, LOSS_PROBE}, pair[] = {1, 0};
	struct loss sigmoid = settled("sigmoid", 0, (struct loss_params){0}), kto = settled("kto", 0, (struct loss_params){0});
	struct loss bco = settled("bco", 0, (struct loss_params){0}), sft = settled("sft", 0, (struct loss_params){0});
	struct loss pl = settled("plackett_luce", 0, (struct loss_params){0});

	(void)state;
	assert_null(loss_misfit(&sigmoid, 2, NULL));
	assert_null(loss_misfit(&sigmoid, 2, pair));
	assert_non_null(loss_misfit(&sigmoid, 1, NULL));
	assert_non_null(loss_misfit(&sigmoid, 3, NULL));
	assert_null(loss_misfit(&kto, 2, good));
	assert_null(loss_misfit(&kto, 2, bad));
	assert_non_null(loss_misfit(&kto, 2, pair));
	assert_non_null(loss_misfit(&kto, 1, good));
	assert_null(loss_misfit(&bco, 1, good));
	assert_null(loss_misfit(&bco, 2, NULL));
	assert_non_null(loss_misfit(&bco, 1, NULL));
	assert_non_null(loss_misfit(&bco, 2, good));
	for (int k = 1; k < 9; k++) {
		assert_null(loss_misfit(&sft, k, NULL));
		assert_int_equal(!loss_misfit(&pl, k, NULL), k >= 2);
		assert_int_equal(loss_completions(&sft, k), 1);
		assert_int_equal(loss_completions(&pl, k), k);
	}
	assert_true(loss_needs_reference(&sigmoid) && loss_needs_reference(&kto) && !loss_needs_reference(&sft));
	assert_true(loss_needs_batch(&kto) && loss_needs_batch(&bco) && !loss_needs_batch(&sigmoid));
	sigmoid.ld_alpha = 0.5;
	assert_true(loss_needs_ref_tokens(&sigmoid));
	sigmoid.reference_free = true;
	assert_false(loss_needs_ref_tokens(&sigmoid) || loss_needs_reference(&sigmoid));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden_vectors),
		cmocka_unit_test(golden_divergences),
		cmocka_unit_test(golden_batches),
		cmocka_unit_test(golden_labels),
		cmocka_unit_test(running_mean),
		cmocka_unit_test(rankings),
		cmocka_unit_test(lists_and_tokens),
		cmocka_unit_test(derivatives),
		cmocka_unit_test(at_the_start),
		cmocka_unit_test(at_its_ends),
		cmocka_unit_test(lists_are_parsed),
		cmocka_unit_test(options_must_mean_something),
		cmocka_unit_test(records_must_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
