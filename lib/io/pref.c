#include "io/pref.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "base/utf8.h"
#include "io/json.h"

static bool valid_name(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && n < PREF_MAX_NAME &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") ==
		       n;
}

int pref_schema_find(const struct pref_schema *s, const char *name)
{
	for (int i = 0; i < s->nlogps; i++)
		if (!strcmp(s->logp[i], name))
			return i;
	return -1;
}

int pref_schema_need(const struct pref_schema *s, const char *name, struct err *err)
{
	char list[PREF_MAX_LOGPS * (PREF_MAX_NAME + 8)] = "no log-probs: see ref-logp(1)";
	int at = pref_schema_find(s, name), n = 0;

	for (int i = 0; i < s->nlogps; i++)
		n += snprintf(list + n, sizeof list - (size_t)n, "%slogp.%s", i ? ", " : "", s->logp[i]);
	return at >= 0 ? at : err_set(err, ERR_MISMATCH, "no column 'logp.%s' in the stream, which has %s", name, list);
}

int pref_schema_add(struct pref_schema *s, const char *name, bool tlogp, struct err *err)
{
	int at = s->nlogps;

	if (!valid_name(name))
		return err_set(err, ERR_USAGE,
			"column name '%.60s' is not 1 to %d letters, digits, '_' and '-'", name,
			PREF_MAX_NAME - 1);
	if (pref_schema_find(s, name) >= 0)
		return err_set(err, ERR_MISMATCH, "column 'logp.%s' is there already", name);
	if (s->nlogps == PREF_MAX_LOGPS)
		return err_set(err, ERR_LIMIT, "more than %d log-prob columns", PREF_MAX_LOGPS);
	while (at > 0 && strcmp(s->logp[at - 1], name) > 0) {
		memcpy(s->logp[at], s->logp[at - 1], PREF_MAX_NAME);
		s->tlogp[at] = s->tlogp[at - 1];
		at--;
	}
	snprintf(s->logp[at], PREF_MAX_NAME, "%s", name);
	s->tlogp[at] = tlogp;
	s->nlogps++;
	return 0;
}

/* Every column of the schema in turn; false after the last. */
struct column {
	char name[PREF_MAX_NAME + 8];
	enum dtype dtype;
	int rank;
	int logp;	 /* of logp.NAME and tlogp.NAME: which */
	size_t elements; /* of an element of the record's data: 2 for cut */
};

static bool column_at(const struct pref_schema *s, int i, struct column *c)
{
	const struct {
		const char *name;
		enum dtype dtype;
		bool there;
		size_t elements;
	} fixed[] = {
		{"id", U64, true, 1},
		{"meta_off", I64, s->meta, 1},
		{"rec", I64, true, 1},
		{"seg", I64, true, 1},
		{"cut", I32, s->cut, 2},
		{"skip", I32, !s->text, 1},
		{"tokens", I32, !s->text, 1},
		{"label", F32, s->label, 1},
		{"text", U8, s->text, 1},
		{"plain", U8, s->plain, 1},
		{"meta", U8, s->meta, 1},
	};

	for (size_t f = 0; f < sizeof fixed / sizeof *fixed; f++) {
		if (!fixed[f].there || i-- > 0)
			continue;
		*c = (struct column){.dtype = fixed[f].dtype, .logp = -1};
		c->elements = fixed[f].elements;
		c->rank = c->elements > 1 ? 2 : 1;
		snprintf(c->name, sizeof c->name, "%s", fixed[f].name);
		return true;
	}
	for (int l = 0; l < s->nlogps; l++)
		for (int t = 0; t <= s->tlogp[l]; t++) {
			if (i-- > 0)
				continue;
			*c = (struct column){.dtype = F32, .rank = 1, .logp = l, .elements = 1};
			snprintf(c->name, sizeof c->name, "%slogp.%s", t ? "t" : "", s->logp[l]);
			return true;
		}
	return false;
}

int pref_schema_put(const struct pref_schema *s, struct meta *meta, struct err *err)
{
	struct buf columns = BUF_INIT;
	struct column c;
	int rc;

	for (int i = 0; column_at(s, i, &c); i++)
		buf_add_fmt(&columns, "%s%s", i ? " " : "", c.name);
	rc = buf_check(&columns, err) || meta_set(meta, "columns", columns.data, err) ||
	     meta_set(meta, "schema",
		     s->text	 ? "pref.text"
		     : s->nlogps ? "pref.logps"
				 : "pref.tokens",
		     err);
	if (rc == 0 && s->vocab)
		rc = meta_set_int(meta, "vocab", s->vocab, err);
	buf_release(&columns);
	return rc ? -1 : 0;
}

static int mismatch(struct err *err)
{
	err->code = ERR_MISMATCH;
	return -1;
}

int pref_schema_get(struct pref_schema *s, const struct meta *meta, struct err *err)
{
	const char *schema = meta_get(meta, "schema"), *columns = meta_get(meta, "columns"), *again;
	struct meta check = META_INIT;
	char name[PREF_MAX_NAME + 8];
	size_t n;
	int rc = 0;

	*s = (struct pref_schema){.vocab = meta_get_int(meta, "vocab", 0)};
	if (!schema || !columns || strncmp(schema, "pref.", 5))
		return err_set(err, ERR_MISMATCH,
			"the stream holds '%.60s', not preference records",
			schema ? schema : "nothing known");
	s->text = !strcmp(schema, "pref.text");
	for (const char *p = columns; rc == 0 && *p; p += n + (p[n] == ' ')) {
		n = strcspn(p, " ");
		snprintf(name, sizeof name, "%.*s", (int)(n < sizeof name ? n : 0), p);
		if (!strcmp(name, "label"))
			s->label = true;
		else if (!strcmp(name, "cut"))
			s->cut = true;
		else if (!strcmp(name, "meta"))
			s->meta = true;
		else if (!strcmp(name, "plain"))
			s->plain = s->text;
		else if (!strncmp(name, "logp.", 5))
			rc = pref_schema_add(s, name + 5, false, err) ? mismatch(err) : 0;
		else if (!strncmp(name, "tlogp.", 6) && !s->text &&
			 pref_schema_find(s, name + 6) >= 0)
			s->tlogp[pref_schema_find(s, name + 6)] = true;
	}
	if (rc == 0)
		rc = pref_schema_put(s, &check, err);
	again = meta_get(&check, "columns");
	if (rc == 0 && (strcmp(again, columns) || strcmp(meta_get(&check, "schema"), schema)))
		rc = err_set(err, ERR_MISMATCH, "schema '%.60s' with columns '%.200s' is not known",
			schema, columns);
	meta_release(&check);
	return rc;
}

int64_t pref_tlogp_start(const struct pref_rec *r, int i)
{
	int64_t n = 0;

	for (int c = 0; c < i; c++)
		n += pref_counted(r, c);
	return n;
}

static const void *copied(struct arena *a, const void *from, size_t n, size_t size, struct err *err)
{
	void *p = arena_new(a, n, size, err);

	if (p && n)
		memcpy(p, from, n * size);
	return p;
}

int pref_copy(struct pref_rec *to, const struct pref_rec *from, const struct pref_schema *s,
	struct arena *arena, struct err *err)
{
	size_t k = (size_t)from->k, start = (size_t)from->seg[0],
	       size = (size_t)from->seg[k + 1] - start;
	size_t counted = s->nlogps ? (size_t)pref_tlogp_start(from, from->k) : 0;
	int64_t *seg = arena_new(arena, k + 2, sizeof *seg, err);
	bool ok;

	*to = (struct pref_rec){
		.id = from->id, .k = from->k, .seg = seg, .meta_len = from->meta_len};
	for (size_t i = 0; seg && i < k + 2; i++)
		seg[i] = from->seg[i] - from->seg[0];
	ok = seg &&
	     (s->text ? !!(to->text = copied(arena, from->text + start, size, 1, err))
		      : !!(to->tokens = copied(
				   arena, from->tokens + start, size, sizeof *to->tokens, err))) &&
	     (!from->plain || (to->plain = copied(arena, from->plain + start, size, 1, err))) &&
	     (!from->skip || (to->skip = copied(arena, from->skip, k, sizeof *to->skip, err))) &&
	     (!from->label ||
		     (to->label = copied(arena, from->label, k, sizeof *to->label, err))) &&
	     (!from->cut || (to->cut = copied(arena, from->cut, 2 * k, sizeof *to->cut, err))) &&
	     (!from->meta || (to->meta = copied(arena, from->meta, from->meta_len, 1, err)));
	for (int i = 0; ok && i < s->nlogps; i++)
		ok = (!from->logp[i] ||
			     (to->logp[i] = copied(arena, from->logp[i], k, sizeof(float), err))) &&
		     (!from->tlogp[i] || (to->tlogp[i] = copied(arena, from->tlogp[i], counted,
						  sizeof(float), err)));
	return ok ? 0 : -1;
}

int pref_make_id(struct pref_rec *r, struct err *err)
{
	struct buf b = BUF_INIT;
	int rc;

	for (int s = 0; s <= r->k; s++) {
		buf_add_char(&b, s ? ',' : '[');
		if (r->text) {
			json_quote(&b, r->text + r->seg[s], (size_t)pref_len(r, s));
			continue;
		}
		buf_add_char(&b, '[');
		for (int64_t t = r->seg[s]; t < r->seg[s + 1]; t++)
			buf_add_fmt(&b, "%s%d", t > r->seg[s] ? "," : "", r->tokens[t]);
		buf_add_char(&b, ']');
	}
	buf_add_char(&b, ']');
	rc = buf_check(&b, err);
	if (rc == 0)
		r->id = sha256_id(b.data, b.len);
	buf_release(&b);
	return rc;
}

/* ---- blocks */

/* A column's data and how many elements it has (rows, for cut). ERR_CORRUPT where it is not as due. */
static const void *find(const struct safetensors *doc, const uint8_t *payload,
	const struct column *c, int64_t *n, struct err *err)
{
	const struct safetensor *t = safetensors_find(doc, c->name);

	if (!t) {
		err_set(err, ERR_CORRUPT, "tensor '%s' is missing", c->name);
		return NULL;
	}
	if (t->dtype != c->dtype || t->rank != c->rank || (c->rank == 2 && t->shape[1] != 2)) {
		err_set(err, ERR_CORRUPT, "tensor '%s' is not %s of %d dimension%s", c->name,
			dtype_name(c->dtype), c->rank, c->rank > 1 ? "s" : "");
		return NULL;
	}
	*n = t->shape[0];
	return payload + doc->data + t->begin;
}

/* Offsets: n of them, from 0, never falling, to end. */
static int check_offsets(
	const char *name, const int64_t *off, int64_t n, int64_t end, struct err *err)
{
	if (n < 1 || off[0] != 0)
		return err_set(err, ERR_CORRUPT, "tensor '%s' does not start at 0", name);
	for (int64_t i = 1; i < n; i++)
		if (off[i] < off[i - 1])
			return err_set(err, ERR_CORRUPT,
				"tensor '%s' falls from %lld to %lld at %lld", name,
				(long long)off[i - 1], (long long)off[i], (long long)i);
	if (off[n - 1] != end)
		return err_set(err, ERR_CORRUPT, "tensor '%s' ends at %lld, there are %lld", name,
			(long long)off[n - 1], (long long)end);
	return 0;
}

static int check_logps(const char *name, const float *p, int64_t n, struct err *err)
{
	for (int64_t i = 0; i < n; i++)
		if (!isfinite(p[i]) || p[i] > PREF_LOGP_MAX)
			return err_set(err, ERR_CORRUPT, "tensor '%s': %g at %lld is no log-prob",
				name, p[i], (long long)i);
	return 0;
}

static int check_labels(const float *p, int64_t n, struct err *err)
{
	for (int64_t i = 0; i < n; i++)
		if (!isfinite(p[i]))
			return err_set(
				err, ERR_CORRUPT, "tensor 'label': %g at %lld", p[i], (long long)i);
	return 0;
}

static int check_cuts(const int32_t *p, int64_t n, struct err *err)
{
	for (int64_t i = 0; i < 2 * n; i++)
		if (p[i] < 0)
			return err_set(err, ERR_CORRUPT, "tensor 'cut': %d at row %lld", p[i],
				(long long)i / 2);
	return 0;
}

/* UTF-8, in every segment. */
static int check_text(const struct pref_block *b, int64_t segs, int64_t n, struct err *err)
{
	size_t valid = utf8_valid_prefix(b->text, (size_t)n);

	if (valid < (size_t)n)
		return err_set(err, ERR_CORRUPT, "text is not valid UTF-8 at byte %zu", valid);
	for (int64_t i = 0; i < segs; i++)
		if (b->seg[i] < n && (b->text[b->seg[i]] & 0xc0) == 0x80)
			return err_set(err, ERR_CORRUPT, "segment %lld starts within a character",
				(long long)i);
	return 0;
}

static int check_plain(const struct pref_block *b, int64_t n, int64_t bytes, struct err *err)
{
	if (n != bytes)
		return err_set(err, ERR_CORRUPT, "tensor 'plain': %lld bytes for a text of %lld", (long long)n,
			(long long)bytes);
	for (int64_t i = 0; i < n; i++)
		if (b->plain[i] > 1)
			return err_set(err, ERR_CORRUPT, "tensor 'plain': %d at %lld", b->plain[i], (long long)i);
	return 0;
}

static int check_tokens(const struct pref_block *b, int64_t n, struct err *err)
{
	int64_t vocab = b->schema->vocab ? b->schema->vocab : INT32_MAX;

	for (int64_t i = 0; i < n; i++)
		if (b->tokens[i] < 0 || b->tokens[i] >= vocab)
			return err_set(err, ERR_CORRUPT,
				"token %d at %lld is not in a vocabulary of %lld", b->tokens[i],
				(long long)i, (long long)vocab);
	return 0;
}

/* Segments per record, completions' own columns, and where tlogp of each record starts. */
static int check_records(
	struct pref_block *b, int64_t completions, int64_t *counted, struct err *err)
{
	struct pref_rec r;
	int64_t k, at = 0;

	*counted = 0;
	for (uint32_t i = 0; i < b->n; i++, at += k) {
		k = b->rec[i + 1] - b->rec[i] - 1;
		if (k < 1 || k > PREF_MAX_COMPLETIONS)
			return err_set(err, ERR_CORRUPT, "record %u has %lld completions", i,
				(long long)k);
		pref_block_get(b, i, &r);
		for (int c = 0; c < r.k; c++)
			if (r.skip && (r.skip[c] < 0 || r.skip[c] > pref_len(&r, c + 1)))
				return err_set(err, ERR_CORRUPT,
					"record %u: skip %d of %lld tokens", i, r.skip[c],
					(long long)pref_len(&r, c + 1));
		b->tlogp_at[i] = *counted;
		if (!b->schema->text)
			*counted += pref_tlogp_start(&r, r.k);
	}
	b->tlogp_at[b->n] = *counted;
	return at == completions
		       ? 0
		       : err_set(err, ERR_CORRUPT, "segments for %lld completions of %lld",
				 (long long)at, (long long)completions);
}

int pref_block_open(struct pref_block *b, const struct pref_schema *schema,
	const struct safetensors *doc, const uint8_t *payload, uint32_t n, struct err *err)
{
	int64_t size[4 * PREF_MAX_LOGPS] = {0}, ids = 0, recs = 0, segs = 0, elements = 0,
			 metas = 0, meta_offs = 0, plains = 0;
	int64_t completions, counted, rows;
	struct column c;
	int columns = 0;

	*b = (struct pref_block){.schema = schema, .n = n};
	for (; column_at(schema, columns, &c); columns++) {
		const void *p = find(doc, payload, &c, &rows, err);

		if (!p)
			return -1;
		size[columns] = rows;
		if (c.logp >= 0)
			*(c.name[0] == 't' ? &b->tlogp[c.logp] : &b->logp[c.logp]) = p;
		else if (!strcmp(c.name, "id"))
			b->id = p, ids = rows;
		else if (!strcmp(c.name, "rec"))
			b->rec = p, recs = rows;
		else if (!strcmp(c.name, "seg"))
			b->seg = p, segs = rows;
		else if (!strcmp(c.name, "tokens"))
			b->tokens = p, elements = rows;
		else if (!strcmp(c.name, "text"))
			b->text = p, elements = rows;
		else if (!strcmp(c.name, "plain"))
			b->plain = p, plains = rows;
		else if (!strcmp(c.name, "skip"))
			b->skip = p;
		else if (!strcmp(c.name, "cut"))
			b->cut = p;
		else if (!strcmp(c.name, "label"))
			b->label = p;
		else if (!strcmp(c.name, "meta"))
			b->meta = p, metas = rows;
		else
			b->meta_off = p, meta_offs = rows;
	}
	if (doc->n != (size_t)columns)
		return err_set(
			err, ERR_CORRUPT, "%zu tensors where the header names %d", doc->n, columns);
	if (ids != n || recs != (int64_t)n + 1 || (schema->meta && meta_offs != (int64_t)n + 1))
		return err_set(err, ERR_CORRUPT, "%lld ids and %lld offsets for %u records",
			(long long)ids, (long long)recs, n);
	if (check_offsets("rec", b->rec, recs, segs - 1, err) ||
		check_offsets("seg", b->seg, segs, elements, err) ||
		(schema->meta && check_offsets("meta_off", b->meta_off, meta_offs, metas, err)) ||
		(schema->plain && check_plain(b, plains, elements, err)) ||
		(schema->text ? check_text(b, segs, elements, err)
			      : check_tokens(b, elements, err)))
		return -1;
	completions = segs - 1 - (int64_t)n;
	b->tlogp_at = mem_new((size_t)n + 1, sizeof *b->tlogp_at, err);
	if (!b->tlogp_at)
		return -1;
	/* The per-completion columns must be long enough before records are looked at. */
	for (int i = 0; column_at(schema, i, &c); i++)
		if ((!strcmp(c.name, "skip") || !strcmp(c.name, "cut") ||
			    !strcmp(c.name, "label") || !strncmp(c.name, "logp.", 5)) &&
			size[i] != completions)
			return err_set(err, ERR_CORRUPT,
				"tensor '%s': %lld rows for %lld completions", c.name,
				(long long)size[i], (long long)completions);
	if (check_records(b, completions, &counted, err) ||
		(b->label && check_labels(b->label, completions, err)) ||
		(b->cut && check_cuts(b->cut, completions, err)))
		return -1;
	for (int i = 0; column_at(schema, i, &c); i++) {
		bool each = c.logp >= 0 && c.name[0] == 't';

		if (each && size[i] != counted)
			return err_set(err, ERR_CORRUPT,
				"tensor '%s': %lld log-probs for %lld counted tokens", c.name,
				(long long)size[i], (long long)counted);
		if (c.logp >= 0 && check_logps(c.name, each ? b->tlogp[c.logp] : b->logp[c.logp],
					   size[i], err))
			return -1;
	}
	return 0;
}

void pref_block_release(struct pref_block *b)
{
	free(b->tlogp_at);
	*b = (struct pref_block){.n = 0};
}

void pref_block_get(const struct pref_block *b, uint32_t i, struct pref_rec *r)
{
	int64_t first = b->rec[i], completion = first - i;

	/* seg[] counts from the block's start, so that text and tokens are the block's. */
	*r = (struct pref_rec){
		.id = b->id[i],
		.k = (int)(b->rec[i + 1] - first - 1),
		.seg = b->seg + first,
		.text = b->text,
		.plain = b->plain,
		.tokens = b->tokens,
		.skip = b->skip ? b->skip + completion : NULL,
		.label = b->label ? b->label + completion : NULL,
		.cut = b->cut ? b->cut + 2 * completion : NULL,
	};
	if (b->meta) {
		r->meta = b->meta + b->meta_off[i];
		r->meta_len = (size_t)(b->meta_off[i + 1] - b->meta_off[i]);
	}
	for (int l = 0; l < b->schema->nlogps; l++) {
		r->logp[l] = b->logp[l] + completion;
		if (b->tlogp[l])
			r->tlogp[l] = b->tlogp[l] + b->tlogp_at[i];
	}
}
