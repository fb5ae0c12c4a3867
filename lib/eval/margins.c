#include "eval/margins.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "eval/logistic.h"

#define LEAST_ROOM 4096

void margins_init(struct margins *m)
{
	*m = (struct margins){.pairs = 0};
}

void margins_release(struct margins *m)
{
	free(m->by_tokens);
	m->by_tokens = NULL;
	m->cap = 0;
}

static void count(struct margins_tally *t, int sign)
{
	t->wins += sign > 0;
	t->ties += sign == 0;
	t->losses += sign < 0;
	t->open_wins += sign > 0;
	t->open_decided += sign != 0;
}

static void close_tally(struct margins_tally *t)
{
	stats_rate_add(&t->rate, t->open_wins, t->open_decided);
	t->open_wins = t->open_decided = 0;
}

void margins_close_record(struct margins *m)
{
	for (int i = 0; i < MARGINS_LENGTHS; i++)
		close_tally(&m->length[i]);
	close_tally(&m->displaced);
	close_tally(&m->chosen_fell);
}

static int count_tokens(struct margins *m, uint64_t tokens, double margin, struct err *err)
{
	size_t before = m->cap, room = tokens < LEAST_ROOM ? LEAST_ROOM : (size_t)tokens + 1;
	struct margins_length_tally *t;

	if (room > m->cap) {
		if (mem_grow(&m->by_tokens, &m->cap, room, sizeof *m->by_tokens, err))
			return -1;
		memset(m->by_tokens + before, 0, (m->cap - before) * sizeof *m->by_tokens);
	}
	t = &m->by_tokens[tokens];
	t->wins += margin > 0;
	t->ties += margin == 0;
	t->losses += margin < 0;
	t->margin += margin;
	return 0;
}

static void add_point(struct margins *m, double x, double y)
{
	double dx = x - m->x, dy = y - m->y, n = (double)++m->pairs;

	m->x += dx / n;
	m->y += dy / n;
	m->xx += dx * (x - m->x);
	m->yy += dy * (y - m->y);
	m->xy += dx * (y - m->y);
}

static double beta_factor(int i)
{
	return exp2((i - MARGINS_BETAS / 2) / 2.0);
}

static double softplus(double x)
{
	return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

static void calibrate(struct margins *m, double margin)
{
	double confidence = logistic_sigmoid(fabs(margin));
	int i = (int)((confidence - 0.5) * 2 * MARGINS_BINS);
	struct margins_bin *b = &m->bin[i < MARGINS_BINS ? i : MARGINS_BINS - 1];

	b->n++;
	b->confidence += confidence;
	b->right += margin > 0 ? 1 : margin < 0 ? 0 : 0.5;
	for (i = 0; i < MARGINS_BETAS; i++)
		m->loss[i] += softplus(-margin * beta_factor(i));
}

static void move(struct margins *m, const struct margins_pair *p)
{
	m->fell[p->chosen < 0][p->rejected < 0]++;
	count(&m->chosen_fell, p->chosen < 0 ? 1 : -1);
	count(&m->displaced, p->chosen < 0 && p->margin > 0 ? 1 : -1);
}

int margins_add(struct margins *m, const struct margins_pair *p, struct err *err)
{
	enum margins_length length = p->chosen_tokens > p->rejected_tokens   ? CHOSEN_LONGER
				     : p->chosen_tokens < p->rejected_tokens ? CHOSEN_SHORTER
									     : SAME_LENGTH;

	if (count_tokens(m, p->chosen_tokens + p->rejected_tokens, p->margin, err))
		return -1;
	count(&m->length[length], (p->margin > 0) - (p->margin < 0));
	add_point(m, (double)p->chosen_tokens - (double)p->rejected_tokens, p->margin);
	histogram_add(&m->spread, p->margin);
	calibrate(m, p->margin);
	move(m, p);
	return 0;
}

/* ---- what they come to */

static double all(const struct margins_tally *t)
{
	return (double)t->wins + (double)t->ties + (double)t->losses;
}

double margins_longer_rule(const struct margins *m)
{
	return m->pairs ? (all(&m->length[CHOSEN_LONGER]) + all(&m->length[SAME_LENGTH]) / 2) /
				  (double)m->pairs
			: NAN;
}

double margins_prefers_longer(const struct margins *m)
{
	const struct margins_tally *longer = &m->length[CHOSEN_LONGER],
				   *shorter = &m->length[CHOSEN_SHORTER];
	double decided = longer->rate.trials + shorter->rate.trials;

	return decided > 0 ? ((double)longer->wins + (double)shorter->losses) / decided : NAN;
}

double margins_balanced(const struct margins *m)
{
	return (stats_rate_value(&m->length[CHOSEN_LONGER].rate) +
		       stats_rate_value(&m->length[CHOSEN_SHORTER].rate)) /
	       2;
}

struct margins_line margins_line(const struct margins *m)
{
	struct margins_line l = {NAN, NAN, NAN};

	if (!(m->xx > 0))
		return l;
	l.slope = m->xy / m->xx;
	l.intercept = m->y - l.slope * m->x;
	l.r2 = m->yy > 0 ? m->xy * m->xy / (m->xx * m->yy) : NAN;
	return l;
}

int margins_quantiles(const struct margins *m, int n, struct margins_quantile *out)
{
	uint64_t seen = 0;
	int made = 0;

	for (size_t tokens = 0; tokens < m->cap; tokens++) {
		const struct margins_length_tally *t = &m->by_tokens[tokens];
		uint64_t pairs = t->wins + t->ties + t->losses;
		struct margins_quantile *q;

		if (!pairs)
			continue;
		/* A group begins where the one before has its share. */
		if (!made || (made < n && (double)seen >= (double)m->pairs * made / n))
			out[made++] = (struct margins_quantile){.from = tokens};
		q = &out[made - 1];
		q->to = tokens;
		q->tally.wins += t->wins;
		q->tally.ties += t->ties;
		q->tally.losses += t->losses;
		q->tally.margin += t->margin;
		seen += pairs;
	}
	return made;
}

double margins_calibration_error(const struct margins *m)
{
	double sum = 0;

	for (int i = 0; i < MARGINS_BINS; i++)
		sum += fabs(m->bin[i].confidence - m->bin[i].right);
	return m->pairs ? sum / (double)m->pairs : NAN;
}

/* The lowest point of the parabola through the best factor tried and its neighbours, in its logarithm. */
double margins_best_factor(const struct margins *m)
{
	double left, right;
	int best = 0;

	for (int i = 1; i < MARGINS_BETAS; i++)
		if (m->loss[i] < m->loss[best])
			best = i;
	if (!m->pairs || best == 0 || best == MARGINS_BETAS - 1)
		return NAN;
	left = m->loss[best - 1] - m->loss[best];
	right = m->loss[best + 1] - m->loss[best];
	return beta_factor(best) * exp2((left - right) / (left + right) / 4);
}
