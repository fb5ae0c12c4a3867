#include "model/generate.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "model/decoder.h"
#include "model/pages.h"

/* A completion, growing. */
struct text {
	int32_t *token; /* [n] */
	float *tlogp;
	int64_t n;
	size_t token_cap, tlogp_cap;
	enum generate_end end;
};

/* A prompt on its way, in a list by their order. */
struct job {
	struct job *next;
	uint64_t id;
	void *tag;
	int32_t *token;	    /* [n] the prompt */
	int64_t n, longest; /* tokens; of a sequence at most */
	float **page;	    /* [pages] its keys and values, until the last sample is done */
	int64_t pages;
	float *logits;	    /* what follows the prompt, until the last sample has begun */
	struct text *texts; /* [k] */
	int begun, done;
};

/* A sequence being computed. */
struct seat {
	struct job *job; /* NULL: free */
	struct text *text;
	uint64_t stream; /* of random numbers */
	int32_t *token;	 /* [n] prompt and completion */
	int64_t n;
	size_t token_cap, page_cap;
	float **page; /* whole ones of the prompt, which are the job's, then its own */
	int64_t shared, pages;
};

struct run {
	const struct generate_options *o;
	struct generate_totals *totals;
	struct decoder *d;
	struct sampler *sampler; /* [threads] */
	int threads;
	struct seat *seat; /* [batch] */
	int64_t active;
	struct job *first, *last; /* not yet handed out */
	bool ended;		  /* there are no more prompts */
	struct pages pages;
	/* A step's: which seats, their tokens, pasts, choices and log-probs. */
	int64_t *which;
	int32_t *token;
	struct past *past;
	struct logp_row *row;
	/* Of what is handed out. */
	int32_t *out_token;
	int64_t *out_seg;
	float *out_tlogp, *out_logp;
	enum generate_end *out_end;
	size_t out_token_cap, out_tlogp_cap;
};

static int64_t pages_of(int64_t tokens)
{
	return (tokens + PAST_PAGE - 1) / PAST_PAGE;
}

/* Pages of its own that a sample may need: its last token is never computed, its prompt's whole pages are shared. */
static int64_t own_pages(const struct job *j)
{
	return pages_of(j->longest - 1) - j->n / PAST_PAGE;
}

/* ---- jobs */

static void free_job(struct job *j, int k)
{
	for (int i = 0; j->texts && i < k; i++) {
		free(j->texts[i].token);
		free(j->texts[i].tlogp);
	}
	free(j->texts);
	free(j->token);
	free(j->page);
	free(j->logits);
	free(j);
}

static int start_prompt(struct run *r, struct job *j, struct err *err)
{
	size_t bytes = sizeof *j->logits * (size_t)r->o->model->arch.vocab;
	int64_t one = 1;

	for (; j->pages < pages_of(j->n); j->pages++)
		if (pages_take(&r->pages, &j->page[j->pages], err))
			return -1;
	if (decoder_start(r->d, j->token, j->n, j->page, err))
		return -1;
	memcpy(j->logits, decoder_next_logits(r->d, 0, &one), bytes);
	r->totals->prompts++;
	r->totals->prompt_tokens += (uint64_t)j->n;
	return 0;
}

/* Can its pages and one sample's be promised? ERR_LIMIT where they never can. */
static int fits(const struct run *r, const struct job *j, struct err *err)
{
	int64_t need = pages_of(j->n) + own_pages(j);

	if (need <= pages_left(&r->pages))
		return 1;
	if (r->pages.promised > 0)
		return 0;
	return err_set(err, ERR_LIMIT, "%lld tokens need %.2f MiB for keys and values, there are %.2f",
		(long long)j->longest, (double)need * (double)r->pages.floats * sizeof(float) / (1 << 20),
		(double)r->o->memory / (1 << 20));
}

static struct job *new_job(const struct run *r, const struct generate_prompt *p, struct err *err)
{
	const struct arch *a = &r->o->model->arch;
	struct job *j = mem_new(1, sizeof *j, err);

	if (!j)
		return NULL;
	*j = (struct job){.id = p->id, .tag = p->tag, .n = p->n, .longest = decoder_room(r->d, p->n)};
	if (j->longest == p->n) {
		err_set(err, ERR_LIMIT, "a prompt of %lld tokens; the model has %lld positions", (long long)p->n,
			(long long)a->positions);
		free_job(j, 0);
		return NULL;
	}
	if (j->longest - p->n > r->o->max_new)
		j->longest = p->n + r->o->max_new;
	j->token = mem_new((size_t)p->n, sizeof *j->token, err);
	j->page = mem_new((size_t)pages_of(p->n), sizeof *j->page, err);
	j->logits = mem_new((size_t)a->vocab, sizeof *j->logits, err);
	j->texts = mem_new((size_t)r->o->k, sizeof *j->texts, err);
	if (!j->token || !j->page || !j->logits || !j->texts) {
		free_job(j, 0);
		return NULL;
	}
	memcpy(j->token, p->token, sizeof *j->token * (size_t)p->n);
	return j;
}

/* The next prompt to the end of the list, not yet computed. 1; 0: there is none. */
static int fetch(struct run *r, struct err *err)
{
	struct generate_prompt p = {.n = 0};
	int rc = r->ended ? 0 : r->o->next(r->o->context, &p, err);
	struct job *j;

	r->ended = rc == 0;
	if (rc != 1)
		return rc;
	if (p.n < 1)
		return err_set(err, ERR_FAILED, "prompt %016llx is empty", (unsigned long long)p.id);
	j = new_job(r, &p, err);
	if (!j)
		return err_at(err, "prompt %016llx", (unsigned long long)p.id);
	if (r->last)
		r->last->next = j;
	else
		r->first = j;
	r->last = j;
	return 1;
}

static int hand_out(struct run *r, const struct job *j, struct err *err)
{
	int k = r->o->k;
	int64_t all = j->n, at = 0;
	struct generated g = {j->id, j->tag, k, NULL, r->out_seg, r->out_end, NULL, r->out_logp};

	for (int i = 0; i < k; i++)
		all += j->texts[i].n;
	if (mem_grow(&r->out_token, &r->out_token_cap, (size_t)all, sizeof *r->out_token, err) ||
		mem_grow(&r->out_tlogp, &r->out_tlogp_cap, (size_t)all, sizeof *r->out_tlogp, err))
		return -1;
	memcpy(r->out_token, j->token, sizeof *j->token * (size_t)j->n);
	r->out_seg[0] = 0;
	r->out_seg[1] = j->n;
	for (int i = 0; i < k; i++) {
		const struct text *t = &j->texts[i];
		double sum = 0;

		memcpy(r->out_token + j->n + at, t->token, sizeof *t->token * (size_t)t->n);
		memcpy(r->out_tlogp + at, t->tlogp, sizeof *t->tlogp * (size_t)t->n);
		for (int64_t l = 0; l < t->n; l++)
			sum += t->tlogp[l];
		at += t->n;
		r->out_seg[i + 2] = j->n + at;
		r->out_logp[i] = (float)sum;
		r->out_end[i] = t->end;
	}
	g.token = r->out_token;
	g.tlogp = r->out_tlogp;
	return r->o->take(r->o->context, &g, err);
}

/* All jobs that are done and have none before them that is not. */
static int hand_out_done(struct run *r, struct err *err)
{
	while (r->first && r->first->done == r->o->k) {
		struct job *j = r->first;
		int rc = hand_out(r, j, err);

		r->first = j->next;
		if (!r->first)
			r->last = NULL;
		free_job(j, r->o->k);
		if (rc)
			return -1;
	}
	return 0;
}

/* ---- seats */

/* The sample is done: its pages are free, and with the job's last one the prompt's. */
static void leave(struct run *r, struct seat *s)
{
	struct job *j = s->job;

	for (int64_t i = s->shared; i < s->pages; i++)
		pages_give(&r->pages, s->page[i]);
	pages_recall(&r->pages, own_pages(j));
	s->job = NULL;
	r->active--;
	if (++j->done < r->o->k)
		return;
	pages_recall(&r->pages, pages_of(j->n));
	for (int64_t i = 0; i < j->pages; i++)
		pages_give(&r->pages, j->page[i]);
	j->pages = 0;
}

static bool is_eos(const struct generate_options *o, int32_t token)
{
	for (size_t i = 0; i < o->eoses; i++)
		if (o->eos[i] == token)
			return true;
	return false;
}

/* The token that was chosen for a seat, and its log-prob; the seat is free if it was the last. */
static int follow(struct run *r, struct seat *s, int32_t token, float logp, struct err *err)
{
	const struct generate_options *o = r->o;
	struct text *t = s->text;
	int rc = 0;

	if (!isfinite(logp))
		return err_set(err, ERR_FAILED, "prompt %016llx: the log-prob of a token is %g",
			(unsigned long long)s->job->id, isnan(logp) ? NAN : (double)logp);
	if (mem_grow(&t->token, &t->token_cap, (size_t)t->n + 1, sizeof *t->token, err) ||
		mem_grow(&t->tlogp, &t->tlogp_cap, (size_t)t->n + 1, sizeof *t->tlogp, err) ||
		mem_grow(&s->token, &s->token_cap, (size_t)s->n + 1, sizeof *s->token, err))
		return -1;
	t->token[t->n] = s->token[s->n++] = token;
	t->tlogp[t->n++] = logp;
	r->totals->tokens++;
	if (is_eos(o, token))
		t->end = GENERATE_EOS;
	else if (o->stop && (rc = o->stop(o->context, s - r->seat, s->token, s->job->n, s->n, err)) != 0)
		t->end = GENERATE_STOP;
	else if (s->n == s->job->longest)
		t->end = GENERATE_LENGTH;
	else
		return 0;
	if (rc < 0)
		return -1;
	r->totals->end[t->end]++;
	leave(r, s);
	return 0;
}

static int32_t choose(struct run *r, const struct seat *s, const float *logits)
{
	struct sampler *sampler = &r->sampler[omp_get_thread_num()];

	sampler_weigh(sampler, logits, s->token, s->n);
	return sampler_draw(sampler, rng_uniform(r->o->seed, s->stream, (uint64_t)s->text->n));
}

/* Puts the job's next sample into a free seat, and chooses its first token. */
static int sit(struct run *r, struct seat *s, struct job *j, struct err *err)
{
	int sample = j->begun;
	bool part = j->n % PAST_PAGE != 0;
	uint32_t bits[4];
	int32_t token;

	s->shared = s->pages = 0;
	if (pages_promise(&r->pages, own_pages(j), err) ||
		mem_grow(&s->page, &s->page_cap, (size_t)pages_of(j->longest), sizeof *s->page, err) ||
		mem_grow(&s->token, &s->token_cap, (size_t)j->n, sizeof *s->token, err))
		return -1;
	s->job = j;
	r->active++;
	rng_bits(r->o->seed, j->id, (uint64_t)sample, bits);
	s->stream = (uint64_t)bits[1] << 32 | bits[0];
	s->text = &j->texts[j->begun++];
	s->n = j->n;
	memcpy(s->token, j->token, sizeof *s->token * (size_t)j->n);
	s->shared = s->pages = j->n / PAST_PAGE;
	memcpy(s->page, j->page, sizeof *s->page * (size_t)s->shared);
	/* The page that both prompt and completion are in: a copy. */
	if (part) {
		if (pages_take(&r->pages, &s->page[s->pages], err))
			return -1;
		memcpy(s->page[s->pages], j->page[s->pages], sizeof **s->page * r->pages.floats);
		s->pages++;
	}
	token = choose(r, s, j->logits);
	r->o->ops->logp_forward(r->o->ops, r->row, j->logits, &token, 1, r->o->model->arch.vocab);
	if (j->begun == r->o->k) {
		free(j->logits);
		j->logits = NULL;
	}
	return follow(r, s, token, r->row[0].logp, err);
}

static struct seat *free_seat(struct run *r)
{
	for (int64_t i = 0; i < r->o->batch; i++)
		if (!r->seat[i].job)
			return &r->seat[i];
	return NULL;
}

/* The list's last job is the only one that may still have samples to begin. */
static int fill(struct run *r, struct err *err)
{
	struct seat *s;
	int rc;

	while ((s = free_seat(r))) {
		struct job *j = r->last;

		if (!j || j->begun == r->o->k) {
			if ((rc = fetch(r, err)) != 1)
				return rc;
			j = r->last;
		}
		if (!j->pages) {
			rc = fits(r, j, err);
			if (rc == 1)
				rc = pages_promise(&r->pages, pages_of(j->n), err) || start_prompt(r, j, err) ? -1 : 1;
			if (rc < 0)
				return err_at(err, "prompt %016llx", (unsigned long long)j->id);
			if (rc == 0)
				return 0;
		}
		if (own_pages(j) > pages_left(&r->pages))
			return 0;
		if (sit(r, s, j, err) || hand_out_done(r, err))
			return -1;
	}
	return 0;
}

/* One token for each sequence. */
static int step(struct run *r, struct err *err)
{
	const struct generate_options *o = r->o;
	int64_t n = 0, vocab = o->model->arch.vocab, some;

	for (int64_t i = 0; i < o->batch; i++) {
		struct seat *s = &r->seat[i];

		if (!s->job)
			continue;
		if (s->pages < pages_of(s->n)) {
			if (pages_take(&r->pages, &s->page[s->pages], err))
				return -1;
			s->pages++;
		}
		r->which[n] = i;
		r->token[n] = s->token[s->n - 1];
		r->past[n++] = (struct past){s->page, s->n};
	}
	if (decoder_next(r->d, r->token, r->past, n, err))
		return -1;
	r->totals->steps++;
	for (int64_t i = 0; i < n; i += some) {
		const float *logits;

		some = n - i;
		logits = decoder_next_logits(r->d, i, &some);
#pragma omp parallel for schedule(dynamic) num_threads(r->threads)
		for (int64_t k = 0; k < some; k++)
			r->token[i + k] = choose(r, &r->seat[r->which[i + k]], logits + k * vocab);
		o->ops->logp_forward(o->ops, r->row + i, logits, r->token + i, some, vocab);
	}
	for (int64_t i = 0; i < n; i++)
		if (follow(r, &r->seat[r->which[i]], r->token[i], r->row[i].logp, err))
			return -1;
	return hand_out_done(r, err);
}

static int init(struct run *r, struct err *err)
{
	const struct generate_options *o = r->o;
	size_t batch = (size_t)o->batch, k = (size_t)o->k;

	r->d = decoder_new(o->model, o->ops, DECODER_NEXT, err);
	r->seat = mem_new(batch, sizeof *r->seat, err);
	r->which = mem_new(batch, sizeof *r->which, err);
	r->token = mem_new(batch, sizeof *r->token, err);
	r->past = mem_new(batch, sizeof *r->past, err);
	r->row = mem_new(batch, sizeof *r->row, err);
	r->out_seg = mem_new(k + 2, sizeof *r->out_seg, err);
	r->out_logp = mem_new(k, sizeof *r->out_logp, err);
	r->out_end = mem_new(k, sizeof *r->out_end, err);
	r->sampler = mem_new((size_t)r->threads, sizeof *r->sampler, err);
	if (!r->d || !r->seat || !r->which || !r->token || !r->past || !r->row || !r->out_seg || !r->out_logp ||
		!r->out_end || !r->sampler || decoder_reserve(r->d, o->batch, o->batch, 1, err))
		return -1;
	r->pages.floats = decoder_page(r->d);
	r->pages.most = (int64_t)(o->memory / (r->pages.floats * sizeof(float)));
	for (int i = 0; i < r->threads; i++)
		if (sampler_init(&r->sampler[i], &o->rules, o->model->arch.vocab, err))
			return -1;
	return 0;
}

static void release(struct run *r)
{
	for (int64_t i = 0; r->seat && i < r->o->batch; i++) {
		for (int64_t p = r->seat[i].shared; r->seat[i].job && p < r->seat[i].pages; p++)
			free(r->seat[i].page[p]);
		free(r->seat[i].token);
		free(r->seat[i].page);
	}
	for (struct job *j = r->first, *next; j; j = next) {
		next = j->next;
		for (int64_t p = 0; p < j->pages; p++)
			free(j->page[p]);
		free_job(j, r->o->k);
	}
	for (int i = 0; r->sampler && i < r->threads; i++)
		sampler_release(&r->sampler[i]);
	pages_release(&r->pages);
	free(r->sampler);
	free(r->seat);
	free(r->which);
	free(r->token);
	free(r->past);
	free(r->row);
	free(r->out_token);
	free(r->out_seg);
	free(r->out_tlogp);
	free(r->out_logp);
	free(r->out_end);
	decoder_free(r->d);
}

int generate(const struct generate_options *o, struct generate_totals *totals, struct err *err)
{
	struct run r = {.o = o, .totals = totals, .threads = omp_get_max_threads()};
	int rc;

	*totals = (struct generate_totals){0};
	rc = init(&r, err);
	while (rc == 0 && (rc = fill(&r, err)) == 0 && r.active)
		rc = step(&r, err);
	release(&r);
	return rc;
}

size_t generate_memory_of(const struct generate_options *o, int64_t tokens)
{
	const struct arch *a = &o->model->arch;

	return (size_t)(pages_of(tokens) * a->layers * 2 * a->kv_heads * a->head_dim * PAST_PAGE) * sizeof(float);
}

int generate_memory(const struct generate_options *o, size_t *bytes, struct err *err)
{
	struct decoder *d = decoder_new(o->model, o->ops, DECODER_NEXT, err);

	if (!d)
		return -1;
	*bytes = decoder_memory(d, o->batch, o->batch, o->model->arch.positions);
	/* Choices, logits and what top-k looks through, for each thread. */
	*bytes += (size_t)omp_get_max_threads() * (size_t)o->model->arch.vocab * 16;
	decoder_free(d);
	return 0;
}
