#include "cmd/cmd_sweep.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "cmd/cmd_batch.h"
#include "io/file.h"
#include "io/json.h"
#include "io/prefreader.h"

/* A loss at a beta, and what comes of it. */
struct cell {
	struct loss loss;
	const char *name; /* as in --loss */
	double beta;	  /* NAN where it has none */
	struct sweep_row row;
	struct err err;
};

struct skipped {
	const char *loss;
	struct err why;
};

struct table {
	const struct sweep_options *o;
	struct sweep records;
	uint64_t *order;
	double betas[CMD_SWEEP_BETAS];
	int nbetas; /* 0: by the loss */
	struct cell *cells;
	size_t n, cap;
	struct skipped skipped[LOSS_IDS];
	int nskipped;
};

/* ---- the records */

/* How much of a completion's log-prob stands for tokens behind the first n. */
static double tail(const struct pref_rec *rec, int place, int c, int64_t n)
{
	const float *t = rec->tlogp[place] + pref_tlogp_start(rec, c);
	double sum = 0;

	for (int64_t i = n; i < pref_counted(rec, c); i++)
		sum += (double)t[i];
	return sum;
}

/* Of a pair, the longer one's tail counts less under LD-DPO. */
static double lightened(const struct pref_rec *rec, int place, int c, double alpha)
{
	double logp = (double)rec->logp[place][c];

	if (alpha == 1 || rec->k != 2)
		return logp;
	return logp - (1 - alpha) * tail(rec, place, c, pref_counted(rec, 1 - c));
}

static int add_record(
	struct table *t, const struct pref_rec *rec, int policy, int reference, struct err *err)
{
	double alpha = t->o->loss->ld_alpha, p[PREF_MAX_COMPLETIONS], q[PREF_MAX_COMPLETIONS],
	       raw[PREF_MAX_COMPLETIONS];
	int64_t n[PREF_MAX_COMPLETIONS];
	struct loss_example e = {
		.k = rec->k, .p = p, .q = q, .raw = raw, .n = n, .label = rec->label};

	for (int c = 0; c < rec->k; c++) {
		n[c] = pref_counted(rec, c);
		raw[c] = (double)rec->logp[policy][c];
		p[c] = lightened(rec, policy, c, alpha);
		if (reference >= 0)
			q[c] = lightened(rec, reference, c, alpha);
	}
	return sweep_add(&t->records, rec->id, &e, err);
}

/* The place of a column, which has log-probs by token where --ld-alpha needs them. */
static int find_column(
	const struct table *t, const struct pref_schema *s, const char *name, struct err *err)
{
	int at = pref_schema_need(s, name, err);

	if (at >= 0 && t->o->loss->ld_alpha != 1 && !s->tlogp[at])
		return err_set(err, ERR_MISMATCH,
			"--ld-alpha needs 'tlogp.%.40s'; ref-logp adds it without --no-tokens",
			name);
	return at;
}

static int find_columns(const struct table *t, const struct pref_schema *s, int *policy,
	int *reference, struct err *err)
{
	if (s->text)
		return err_set(
			err, ERR_MISMATCH, "the stream holds text, whose tokens cannot be counted");
	*policy = find_column(t, s, t->o->policy, err);
	*reference = -1;
	if (*policy < 0)
		return -1;
	if (!cmd_given("reference") && pref_schema_find(s, t->o->reference) < 0)
		return 0;
	*reference = find_column(t, s, t->o->reference, err);
	return *reference < 0 ? -1 : 0;
}

static int read_records(struct table *t, struct err *err)
{
	const struct tsreader_options how = cmd_reader_options(t->o->io);
	struct prefreader *in = prefreader_open(t->o->inputs, t->o->ninputs, &how, err);
	int policy = -1, reference = -1, rc = -1;
	struct pref_rec rec;

	if (in && find_columns(t, prefreader_schema(in), &policy, &reference, err) == 0) {
		t->records.reference = reference >= 0;
		t->records.labelled = prefreader_schema(in)->label;
		while ((rc = prefreader_next(in, &rec, err)) == 1)
			if (add_record(t, &rec, policy, reference, err)) {
				rc = -1;
				break;
			}
	}
	prefreader_close(in);
	if (rc == 0 && !t->records.n)
		rc = err_set(err, ERR_FAILED, "the stream holds no records");
	return rc;
}

/* As training's first epoch takes them. */
static int set_order(struct table *t, struct err *err)
{
	size_t n = t->records.n;

	t->order = mem_new(n, sizeof *t->order, err);
	for (size_t i = 0; t->order && i < n; i++)
		t->order[i] = batch_record_at(n, !t->o->no_shuffle, (uint64_t)t->o->seed, i);
	return t->order ? 0 : -1;
}

/* ---- the losses */

static void parse_betas(struct table *t)
{
	for (const char *p = t->o->betas; p;) {
		char *end;
		double x = strtod(p, &end);

		if (end == p || isspace((unsigned char)*p) || (*end && *end != ',') ||
			!(x > 0 && x <= 1e6) || t->nbetas == CMD_SWEEP_BETAS)
			cmd_usage("--betas: '%s' is not up to %d numbers above 0 and up to 1e6",
				t->o->betas, CMD_SWEEP_BETAS);
		t->betas[t->nbetas++] = x;
		p = *end ? end + 1 : NULL;
	}
}

static int beta_of(const struct loss *l)
{
	for (int i = 0; i < l->n; i++)
		if (loss_kinds[l->term[i].id].uses & LOSS_BETA)
			return i;
	return -1;
}

/* Where to say why a loss is skipped. */
static struct err *skip(struct table *t, const char *loss)
{
	struct skipped *s = &t->skipped[t->nskipped++];

	s->loss = loss;
	return &s->why;
}

static int add_cell(
	struct table *t, const char *name, const struct loss *l, double beta, struct err *err)
{
	struct cell *c;

	if (mem_grow(&t->cells, &t->cap, t->n + 1, sizeof *t->cells, err))
		return -1;
	c = &t->cells[t->n++];
	*c = (struct cell){.loss = *l, .name = name, .beta = beta};
	if (isnan(beta))
		return 0;
	c->loss.given |= LOSS_BETA;
	c->loss.params.beta = beta;
	return loss_settle(&c->loss, err);
}

/* A loss at its betas, or a reason to skip it. */
static int add_loss(struct table *t, const char *name, struct loss *l, struct err *err)
{
	static const double times[] = {0.1, 0.3, 1, 3, 10};
	const char *why = sweep_misfit(&t->records, l);
	int at = beta_of(l), n = t->nbetas ? t->nbetas : (int)(sizeof times / sizeof *times),
	    rc = 0;

	if (why) {
		err_set(skip(t, name), ERR_MISMATCH, "%s", why);
		return 0;
	}
	if (at < 0)
		return add_cell(t, name, l, NAN, err);
	for (int i = 0; i < n && rc == 0; i++)
		rc = add_cell(
			t, name, l, t->nbetas ? t->betas[i] : times[i] * l->term[at].p.beta, err);
	return rc;
}

/* Every loss alone, with those of the given parameters that it has. */
static int add_all(struct table *t, struct err *err)
{
	for (int id = 0; id < LOSS_IDS; id++) {
		struct err why = ERR_INIT;
		struct loss l;

		if (cmd_loss_parse(t->o->loss, loss_kinds[id].name, &l, err))
			return -1;
		l.given &= loss_kinds[id].uses | ~((1u << LOSS_PARAMS) - 1);
		if (loss_settle(&l, &why))
			*skip(t, loss_kinds[id].name) = why;
		else if (add_loss(t, loss_kinds[id].name, &l, err))
			return -1;
	}
	return 0;
}

static int evaluate(struct table *t, struct err *err)
{
	const struct sweep_how how = {
		.batch = t->o->batch_size, .order = t->order, .top = (int)t->o->top};

#pragma omp parallel for schedule(dynamic)
	for (size_t i = 0; i < t->n; i++)
		sweep_eval(
			&t->records, &t->cells[i].loss, &how, &t->cells[i].row, &t->cells[i].err);
	for (size_t i = 0; i < t->n; i++)
		if (t->cells[i].err.code) {
			*err = t->cells[i].err;
			return -1;
		}
	return 0;
}

/* ---- what is told of it */

static void put_head(struct buf *out, const struct table *t)
{
	const struct sweep_options *o = t->o;

	buf_add_fmt(out, "%zu records; policy '%s'", t->records.n, o->policy);
	if (t->records.reference)
		buf_add_fmt(out, ", reference '%s'", o->reference);
	buf_add_fmt(out, "; in batches of %lld, ", (long long)o->batch_size);
	if (o->no_shuffle)
		buf_add_str(out, "in the stream's order\n\n");
	else
		buf_add_fmt(out, "shuffled by seed %lld\n\n", (long long)o->seed);
}

static void put_real(struct buf *out, double x)
{
	if (isnan(x))
		buf_add_fmt(out, "%12s", "-");
	else
		buf_add_fmt(out, "%12.5g", x);
}

static void put_table(struct buf *out, const struct table *t)
{
	put_head(out, t);
	buf_add_fmt(out, "%-14s%12s%12s%12s%12s%12s%9s%s\n", "loss", "beta", "mean", "|g chosen|",
		"|g reject|", "effective", "", t->o->top ? "   heaviest" : "");
	for (const struct cell *c = t->cells; c < t->cells + t->n; c++) {
		buf_add_fmt(out, "%-14s", c->name);
		put_real(out, c->beta);
		put_real(out, c->row.loss);
		put_real(out, c->row.chosen);
		put_real(out, c->row.rejected);
		buf_add_fmt(out, "%12.1f%7.1f %%", c->row.effective,
			100 * c->row.effective / (double)t->records.n);
		for (int i = 0; i < c->row.tops; i++)
			buf_add_fmt(out, "%s%016llx %.1f %%", i ? ", " : "   ",
				(unsigned long long)c->row.top[i].id, 100 * c->row.top[i].share);
		buf_add_char(out, '\n');
	}
	for (int i = 0; i < t->nskipped; i++)
		buf_add_fmt(out, "%s%-14s skipped: %s\n", i ? "" : "\n", t->skipped[i].loss,
			t->skipped[i].why.text);
}

static void put_key(struct buf *out, const char *key)
{
	buf_add_fmt(out, "%s\"%s\":", out->data[out->len - 1] == '{' ? "" : ",", key);
}

static void put_number(struct buf *out, const char *key, double x)
{
	put_key(out, key);
	json_put_number(out, x);
}

static void put_string(struct buf *out, const char *key, const char *s)
{
	put_key(out, key);
	json_quote(out, s, strlen(s));
}

static void put_cell(struct buf *out, const struct cell *c)
{
	buf_add_char(out, '{');
	put_string(out, "loss", c->name);
	put_number(out, "beta", c->beta);
	put_number(out, "mean", c->row.loss);
	put_number(out, "gradient/chosen", c->row.chosen);
	put_number(out, "gradient/rejected", c->row.rejected);
	put_number(out, "effective", c->row.effective);
	put_key(out, "heaviest");
	buf_add_char(out, '[');
	for (int i = 0; i < c->row.tops; i++) {
		buf_add_fmt(out, "%s{\"id\":\"%016llx\",\"share\":", i ? "," : "",
			(unsigned long long)c->row.top[i].id);
		json_put_number(out, c->row.top[i].share);
		buf_add_char(out, '}');
	}
	buf_add_str(out, "]}");
}

static void put_json(struct buf *out, const struct table *t)
{
	const struct sweep_options *o = t->o;

	buf_add_char(out, '{');
	put_number(out, "records", (double)t->records.n);
	put_string(out, "policy", o->policy);
	put_key(out, "reference");
	if (t->records.reference)
		json_quote(out, o->reference, strlen(o->reference));
	else
		buf_add_str(out, "null");
	put_number(out, "batch_size", (double)o->batch_size);
	put_number(out, "seed", o->no_shuffle ? NAN : (double)o->seed);
	put_key(out, "sweep");
	buf_add_char(out, '[');
	for (size_t i = 0; i < t->n; i++) {
		buf_add_str(out, i ? "," : "");
		put_cell(out, &t->cells[i]);
	}
	buf_add_char(out, ']');
	put_key(out, "skipped");
	buf_add_char(out, '[');
	for (int i = 0; i < t->nskipped; i++) {
		buf_add_str(out, i ? ",{" : "{");
		put_string(out, "loss", t->skipped[i].loss);
		put_string(out, "why", t->skipped[i].why.text);
		buf_add_char(out, '}');
	}
	buf_add_str(out, "]}\n");
}

static int show(const struct table *t, struct err *err)
{
	struct buf out = BUF_INIT;
	int rc;

	if (t->o->json)
		put_json(&out, t);
	else
		put_table(&out, t);
	rc = buf_check(&out, err) || fd_write(STDOUT_FILENO, out.data, out.len, err)
		     ? err_at(err, "stdout")
		     : 0;
	buf_release(&out);
	return rc;
}

/* The one loss that was asked for; where it is a mean over records, batches have no effect. */
static void settle_only(const struct sweep_options *o, struct loss *l)
{
	cmd_loss_settle(o->loss, l);
	if (!loss_needs_batch(l) && !loss_has(l, LOSS_SFT) && !loss_has(l, LOSS_CPO))
		cmd_refuse("on this loss", "batch-size", "seed", "no-shuffle", NULL);
	if (o->betas && beta_of(l) < 0)
		cmd_refuse("on this loss", "betas", NULL);
}

int cmd_sweep(const struct sweep_options *o, struct err *err)
{
	struct table t = {.o = o, .records = SWEEP_INIT};
	struct loss only;
	int rc;

	parse_betas(&t);
	if (cmd_given("loss"))
		settle_only(o, &only);
	rc = read_records(&t, err) || set_order(&t, err) ? -1 : 0;
	if (rc == 0)
		rc = cmd_given("loss") ? add_loss(&t, o->loss->list, &only, err) : add_all(&t, err);
	if (rc == 0 && !t.n) {
		*err = t.skipped[0].why;
		rc = err_at(err, "no loss can be evaluated: %s", t.skipped[0].loss);
	}
	rc = rc || evaluate(&t, err) || show(&t, err) ? -1 : 0;
	sweep_release(&t.records);
	free(t.order);
	free(t.cells);
	return rc;
}
