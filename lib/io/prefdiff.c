#include "io/prefdiff.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"

#define TEXT 200

static const char *segment_name(int segment, int k, char name[32])
{
	if (segment == 0)
		return "prompt";
	if (k == 2)
		return segment == 1 ? "chosen" : "rejected";
	snprintf(name, 32, "completion %d", segment);
	return name;
}

static bool differ_tokens(const struct pref_rec *a, const struct pref_rec *b, int s, const char *name, char *text)
{
	int64_t na = pref_len(a, s), nb = pref_len(b, s), i = 0;
	const int32_t *x = a->tokens + a->seg[s], *y = b->tokens + b->seg[s];

	while (i < na && i < nb && x[i] == y[i])
		i++;
	if (i == na && i == nb)
		return false;
	if (i < na && i < nb)
		snprintf(text, TEXT, "%s, token %lld: %d and %d", name, (long long)i, x[i], y[i]);
	else
		snprintf(text, TEXT, "%s, token %lld: %lld tokens and %lld", name, (long long)i, (long long)na,
			(long long)nb);
	return true;
}

static bool differ_text(const struct pref_rec *a, const struct pref_rec *b, int s, const char *name, char *text)
{
	int64_t na = pref_len(a, s), nb = pref_len(b, s), i = 0;
	const char *x = a->text + a->seg[s], *y = b->text + b->seg[s];

	while (i < na && i < nb && x[i] == y[i])
		i++;
	if (i == na && i == nb)
		return false;
	snprintf(text, TEXT, "%s, byte %lld of %lld and %lld", name, (long long)i, (long long)na, (long long)nb);
	return true;
}

static bool near(const struct prefdiff *d, float x, float y)
{
	return x == y || fabs((double)x - (double)y) <= d->tolerance * fmax(fabs((double)x), fabs((double)y));
}

static bool differ_logps(const struct prefdiff *d, const struct pref_rec *a, const struct pref_rec *b, char *text)
{
	char name[32];

	for (int i = 0; i < d->a->nlogps; i++) {
		int j = pref_schema_find(d->b, d->a->logp[i]);

		for (int c = 0; j >= 0 && c < a->k; c++)
			if (!near(d, a->logp[i][c], b->logp[j][c])) {
				snprintf(text, TEXT, "logp.%s, %s: %.9g and %.9g", d->a->logp[i],
					segment_name(c + 1, a->k, name), (double)a->logp[i][c], (double)b->logp[j][c]);
				return true;
			}
		if (j < 0 || !a->tlogp[i] || !b->tlogp[j])
			continue;
		for (int64_t t = 0; t < pref_tlogp_start(a, a->k); t++)
			if (!near(d, a->tlogp[i][t], b->tlogp[j][t])) {
				snprintf(text, TEXT, "tlogp.%s, counted token %lld: %.9g and %.9g", d->a->logp[i],
					(long long)t, (double)a->tlogp[i][t], (double)b->tlogp[j][t]);
				return true;
			}
	}
	return false;
}

/* Columns of a number a completion. */
static bool differ_numbers(const struct pref_rec *a, const struct pref_rec *b, char *text)
{
	char name[32];

	for (int c = 0; c < a->k; c++) {
		const char *side = segment_name(c + 1, a->k, name);

		if (a->skip && b->skip && a->skip[c] != b->skip[c])
			snprintf(text, TEXT, "skip, %s: %d and %d", side, a->skip[c], b->skip[c]);
		else if (a->label && b->label && a->label[c] != b->label[c])
			snprintf(text, TEXT, "label, %s: %g and %g", side, (double)a->label[c], (double)b->label[c]);
		else if (a->cut && b->cut && memcmp(a->cut + 2 * c, b->cut + 2 * c, 2 * sizeof *a->cut))
			snprintf(text, TEXT, "cut, %s: %d, %d and %d, %d", side, a->cut[2 * c], a->cut[2 * c + 1],
				b->cut[2 * c], b->cut[2 * c + 1]);
		else
			continue;
		return true;
	}
	return false;
}

bool prefdiff_record(const struct prefdiff *d, const struct pref_rec *a, const struct pref_rec *b, char text[200])
{
	char name[32];
	int64_t n;

	if (a->k != b->k) {
		snprintf(text, TEXT, "%d completions and %d", a->k, b->k);
		return true;
	}
	for (int s = 0; s <= a->k; s++)
		if (d->a->text ? differ_text(a, b, s, segment_name(s, a->k, name), text)
			       : differ_tokens(a, b, s, segment_name(s, a->k, name), text))
			return true;
	if (a->id != b->id) {
		snprintf(text, TEXT, "ids %016llx and %016llx", (unsigned long long)a->id, (unsigned long long)b->id);
		return true;
	}
	n = a->seg[a->k + 1] - a->seg[0];
	if (a->plain && b->plain && memcmp(a->plain + a->seg[0], b->plain + b->seg[0], (size_t)n)) {
		snprintf(text, TEXT, "plain");
		return true;
	}
	if (differ_numbers(a, b, text) || differ_logps(d, a, b, text))
		return true;
	if (d->a->meta && d->b->meta && (a->meta_len != b->meta_len || memcmp(a->meta, b->meta, a->meta_len))) {
		snprintf(text, TEXT, "meta");
		return true;
	}
	return false;
}

static void put_only(struct buf *out, const char *name, bool a, bool b)
{
	if (a != b)
		buf_add_fmt(out, "%s%s in the %s", out->len ? ", " : "", name, a ? "first" : "second");
}

/* logp and tlogp that y has not. */
static void put_logps(struct buf *out, const struct pref_schema *x, const struct pref_schema *y, bool first)
{
	char name[PREF_MAX_NAME + 8];

	for (int i = 0; i < x->nlogps; i++) {
		int j = pref_schema_find(y, x->logp[i]);

		snprintf(name, sizeof name, "logp.%s", x->logp[i]);
		if (j < 0)
			put_only(out, name, first, !first);
		snprintf(name, sizeof name, "tlogp.%s", x->logp[i]);
		if (x->tlogp[i] && (j < 0 || !y->tlogp[j]))
			put_only(out, name, first, !first);
	}
}

int prefdiff_columns(const struct prefdiff *d, struct buf *out, struct err *err)
{
	buf_add_str(out, "");
	put_only(out, "label", d->a->label, d->b->label);
	put_only(out, "cut", d->a->cut, d->b->cut);
	put_only(out, "plain", d->a->plain, d->b->plain);
	put_only(out, "meta", d->a->meta, d->b->meta);
	put_logps(out, d->a, d->b, true);
	put_logps(out, d->b, d->a, false);
	return buf_check(out, err);
}
