#include "learn/loss.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "learn/loss_impl.h"

/* ---- from options to a loss */

static int find_id(const char *name, size_t n)
{
	int id = 0;

	while (id < LOSS_IDS && (strlen(loss_kinds[id].name) != n || memcmp(loss_kinds[id].name, name, n)))
		id++;
	return id;
}

static int no_loss(const char *name, size_t n, struct err *err)
{
	char all[512];
	size_t at = 0;

	for (int id = 0; id < LOSS_IDS && at < sizeof all; id++)
		at += (size_t)snprintf(all + at, sizeof all - at, "%s%s", id ? ", " : "", loss_kinds[id].name);
	return err_set(err, ERR_USAGE, "'%.*s' is none of %s", n < 60 ? (int)n : 60, name, all);
}

int loss_parse(struct loss *l, const char *text, struct err *err)
{
	*l = (struct loss){.divergence_alpha = 0.5, .ld_alpha = 1};
	for (const char *p = text;; p++) {
		size_t n = strcspn(p, ":,");
		int id = find_id(p, n);
		struct loss_term *t = &l->term[l->n];
		char *end;

		if (id == LOSS_IDS)
			return no_loss(p, n, err);
		if (l->n == LOSS_MAX_TERMS || loss_has(l, (enum loss_id)id))
			return err_set(err, ERR_USAGE, "%s", l->n == LOSS_MAX_TERMS ? "too many losses" : "a loss is named twice");
		*t = (struct loss_term){.id = (enum loss_id)id, .weight = 1};
		l->n++;
		p += n;
		if (*p == ':') {
			t->weight = strtod(p + 1, &end);
			if (end == p + 1 || !(t->weight > 0) || !isfinite(t->weight) || (*end && *end != ','))
				return err_set(err, ERR_USAGE, "'%.60s' is no weight above 0", p + 1);
			p = end;
		}
		if (!*p)
			return 0;
	}
}

static int settle_params(struct loss *l, struct err *err)
{
	for (int i = 0; i < LOSS_PARAMS; i++) {
		const struct loss_option *o = &loss_options[i];
		double x = *loss_param(&l->params, i);
		bool used = false;

		if (!(l->given & 1u << i))
			continue;
		for (int t = 0; t < l->n; t++)
			if (loss_kinds[l->term[t].id].uses & 1u << i) {
				*loss_param(&l->term[t].p, i) = x;
				used = true;
			}
		if (!used)
			return err_set(err, ERR_USAGE, "--%s has no effect with this loss", o->name);
		if (!(x >= o->min && x <= o->max) || (o->open && x == o->min))
			return err_set(err, ERR_USAGE, "--%s: %g is not %s %g to %g", o->name, x, o->open ? "above" : "from",
				o->min, o->max);
	}
	return 0;
}

/* A modifier must mean something for every loss of the list, but for sft, which it leaves alone. */
static int settle_modifiers(const struct loss *l, struct err *err)
{
	for (int i = LOSS_PARAMS; i < LOSS_OPTIONS; i++)
		for (int t = 0, used = 0; l->given & 1u << i && t < l->n; t++) {
			const struct loss_kind *kind = &loss_kinds[l->term[t].id];
			bool mine = kind->uses & 1u << i;

			used |= mine;
			if (!mine && l->term[t].id != LOSS_SFT)
				return err_set(err, ERR_USAGE, "--%s has no meaning for loss %s", loss_options[i].name, kind->name);
			if (t + 1 == l->n && !used)
				return err_set(err, ERR_USAGE, "--%s has no effect with this loss", loss_options[i].name);
		}
	if (l->given & LOSS_DIVERGENCE_ALPHA && l->divergence != LOSS_ALPHA_DIV)
		return err_set(err, ERR_USAGE, "--f-alpha has no effect without --f-divergence alpha_divergence");
	if (l->given & LOSS_LD_ALPHA && !(l->ld_alpha >= 0 && l->ld_alpha <= 1))
		return err_set(err, ERR_USAGE, "--ld-alpha: %g is not from 0 to 1", l->ld_alpha);
	if (!isfinite(l->divergence_alpha) || fabs(l->divergence_alpha) > 100)
		return err_set(err, ERR_USAGE, "--f-alpha: %g is not from -100 to 100", l->divergence_alpha);
	return 0;
}

/* What records they take must agree. */
static int settle_takes(const struct loss *l, struct err *err)
{
	bool pairs = false, labelled = false, rankings = false;

	for (int t = 0; t < l->n; t++) {
		enum loss_takes takes = loss_kinds[l->term[t].id].takes;

		pairs |= takes == LOSS_PAIRS;
		labelled |= takes == LOSS_LABELLED;
		rankings |= takes == LOSS_RANKINGS;
	}
	if (pairs + labelled + rankings > 1)
		return err_set(err, ERR_USAGE, "these losses take records of different kinds");
	return 0;
}

int loss_settle(struct loss *l, struct err *err)
{
	for (int t = 0; t < l->n; t++)
		l->term[t].p = loss_kinds[l->term[t].id].defaults;
	if (settle_params(l, err) || settle_modifiers(l, err) || settle_takes(l, err))
		return -1;
	for (int t = 0; t < l->n; t++)
		if (l->term[t].id == LOSS_EXO_PAIR && !(l->term[t].p.smoothing > 0))
			return err_set(err, ERR_USAGE, "--label-smoothing: exo_pair needs one above 0");
	return 0;
}

/* ---- what it needs */

bool loss_has(const struct loss *l, enum loss_id id)
{
	for (int t = 0; t < l->n; t++)
		if (l->term[t].id == id)
			return true;
	return false;
}

bool loss_needs_reference(const struct loss *l)
{
	for (int t = 0; t < l->n; t++)
		if (loss_kinds[l->term[t].id].reference && !l->reference_free)
			return true;
	return false;
}

bool loss_needs_batch(const struct loss *l)
{
	for (int t = 0; t < l->n; t++)
		if (loss_kinds[l->term[t].id].batch)
			return true;
	return false;
}

bool loss_needs_ref_tokens(const struct loss *l)
{
	return l->ld_alpha != 1 && loss_needs_reference(l);
}

int loss_completions(const struct loss *l, int k)
{
	for (int t = 0; t < l->n; t++)
		if (loss_kinds[l->term[t].id].takes != LOSS_FIRST)
			return k;
	return 1;
}

const char *loss_misfit(const struct loss *l, int k, const float *label)
{
	for (int t = 0; t < l->n; t++)
		switch (loss_kinds[l->term[t].id].takes) {
		case LOSS_PAIRS:
			if (k != 2)
				return "the loss takes pairs";
			break;
		case LOSS_LABELLED:
			if (!label || k != 2 || label[1] != LOSS_PROBE)
				return "the loss takes a completion with a label and a probe (pref-fmt --probes)";
			break;
		case LOSS_EITHER:
			if (k != 2 && !(k == 1 && label))
				return "the loss takes pairs, or single completions with a label";
			if (k == 2 && label && label[1] == LOSS_PROBE)
				return "the loss has no use for probes";
			break;
		case LOSS_RANKINGS:
			if (k < 2)
				return "the loss takes two completions or more";
			break;
		case LOSS_FIRST:
			break;
		}
	return NULL;
}

int loss_side(int k, const float *label, int c)
{
	if (label && (k == 1 || label[k - 1] == LOSS_PROBE))
		return c ? -1 : !(label[0] > 0);
	return c == 0 ? 0 : c == k - 1 ? 1 : -1;
}
