#include "model/sample.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

int sampler_init(struct sampler *s, const struct sample_rules *rules, int64_t vocab, struct err *err)
{
	size_t n = (size_t)vocab;

	*s = (struct sampler){.rules = *rules, .vocab = vocab};
	if (s->rules.top_k > vocab)
		s->rules.top_k = 0;
	s->choice = mem_new(n, sizeof *s->choice, err);
	s->logit = mem_new(n, sizeof *s->logit, err);
	s->top = mem_new((size_t)s->rules.top_k + 1, sizeof *s->top, err);
	return s->choice && s->logit && s->top ? 0 : -1;
}

void sampler_release(struct sampler *s)
{
	free(s->choice);
	free(s->logit);
	free(s->top);
	*s = (struct sampler){.n = 0};
}

/* Each token once, however often it occurs: from the logits as they were. */
static void penalize(struct sampler *s, const float *logits, const int32_t *token, int64_t n)
{
	float by = (float)s->rules.repetition;

	for (int64_t i = 0; i < n; i++) {
		float x = logits[token[i]];

		s->logit[token[i]] = x > 0 ? x / by : x * by;
	}
}

static int64_t largest(const float *x, int64_t n)
{
	int64_t best = 0;

	for (int64_t i = 1; i < n; i++)
		best = x[i] > x[best] ? i : best;
	return best;
}

/* Puts x in the place of a heap's smallest element, which is on top. */
static void heap_replace(float *heap, int64_t n, float x)
{
	int64_t at = 0, child;

	for (; (child = 2 * at + 1) < n; at = child) {
		if (child + 1 < n && heap[child + 1] < heap[child])
			child++;
		if (heap[child] >= x)
			break;
		heap[at] = heap[child];
	}
	heap[at] = x;
}

/* The k-th largest of x. */
static float kth_largest(float *heap, int64_t k, const float *x, int64_t n)
{
	for (int64_t i = 0; i < k; i++)
		heap[i] = -INFINITY;
	for (int64_t i = 0; i < n; i++)
		if (x[i] > heap[0])
			heap_replace(heap, k, x[i]);
	return heap[0];
}

static double mass(const struct sample_choice *c, int64_t n)
{
	double sum = 0;

	for (int64_t i = 0; i < n; i++)
		sum += c[i].weight;
	return sum;
}

static bool before(struct sample_choice a, struct sample_choice b)
{
	return a.weight > b.weight || (a.weight == b.weight && a.id < b.id);
}

/* Moves those that come before the middle one to the front, then it; how many there are. */
static int64_t part(struct sample_choice *c, int64_t n)
{
	struct sample_choice pivot = c[n / 2];
	int64_t front = 0;

	c[n / 2] = c[n - 1];
	for (int64_t i = 0; i < n - 1; i++)
		if (before(c[i], pivot)) {
			struct sample_choice other = c[i];

			c[i] = c[front];
			c[front++] = other;
		}
	c[n - 1] = c[front];
	c[front] = pivot;
	return front;
}

/*
 * Moves to the front, of n choices, those before which there is less than this mass: the likeliest, and of equal
 * ones the first ids. How many there are, at least one.
 */
static int64_t nucleus(struct sample_choice *c, int64_t n, double enough)
{
	int64_t from = 0, to = n;
	double sum = 0;

	/* Those up to from stay; those after to do not. */
	while (to - from > 1) {
		int64_t front = part(c + from, to - from);
		double more = mass(c + from, front);

		if (sum + more >= enough) {
			to = from + front;
		} else {
			sum += more + c[from + front].weight;
			from += front + 1;
			if (sum >= enough)
				return from;
		}
	}
	return to;
}

/* Leaves out those of less weight; how many are left. */
static int64_t keep(struct sample_choice *c, int64_t n, double least)
{
	int64_t left = 0;

	for (int64_t i = 0; i < n; i++)
		if (c[i].weight >= least)
			c[left++] = c[i];
	return left;
}

/*
 * Leaves out all but the likeliest that together have a share of the mass. First, since most choices have next to
 * none of it, those so light that all choices of their weight would fit into what is left out.
 */
static int64_t keep_share(struct sample_choice *c, int64_t n, double share)
{
	double all = mass(c, n);

	n = keep(c, n, 0.999 * (1 - share) * all / (double)n);
	return nucleus(c, n, share * all);
}

void sampler_weigh(struct sampler *s, const float *logits, const int32_t *token, int64_t n)
{
	const struct sample_rules *r = &s->rules;
	float *z = s->logit, top, least = -INFINITY;
	int64_t best, left = 0;

	memcpy(z, logits, sizeof *z * (size_t)s->vocab);
	if (r->repetition != 1)
		penalize(s, logits, token, n);
	best = largest(z, s->vocab);
	s->choice[0] = (struct sample_choice){1, (int32_t)best};
	s->n = 1;
	if (r->temperature == 0)
		return;
	top = z[best];
	for (int64_t i = 0; i < s->vocab; i++)
		z[i] = (float)((z[i] - top) / r->temperature);
	if (r->top_k)
		least = kth_largest(s->top, r->top_k, z, s->vocab);
	for (int64_t i = 0; i < s->vocab; i++)
		if (z[i] >= least)
			s->choice[left++] = (struct sample_choice){expf(z[i]), (int32_t)i};
	if (r->top_p < 1)
		left = keep_share(s->choice, left, r->top_p);
	if (r->min_p > 0)
		left = keep(s->choice, left, r->min_p);
	s->n = left;
}

int32_t sampler_draw(const struct sampler *s, double u)
{
	double target = u * mass(s->choice, s->n), sum = 0;
	int64_t i = 0;

	for (; i < s->n - 1; i++) {
		sum += s->choice[i].weight;
		if (sum > target)
			break;
	}
	return s->choice[i].id;
}
