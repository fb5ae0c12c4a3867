#include "io/prefcolumns.h"

#include <stdio.h>
#include <string.h>

static void add_offset(struct buf *b, int64_t offset)
{
	buf_add(b, &offset, sizeof offset);
}

static void for_all(struct prefcolumns *c, void (*each)(struct buf *b))
{
	struct buf *fixed[] = {&c->id, &c->rec, &c->seg, &c->text, &c->plain, &c->tokens, &c->skip,
		&c->cut, &c->label, &c->meta, &c->meta_off};

	for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
		each(fixed[i]);
	for (int i = 0; i < PREF_MAX_LOGPS; i++) {
		each(&c->logp[i]);
		each(&c->tlogp[i]);
	}
}

static void empty(struct prefcolumns *c)
{
	for_all(c, buf_clear);
	c->n = 0;
	c->completions = 0;
	add_offset(&c->rec, 0);
	add_offset(&c->seg, 0);
	add_offset(&c->meta_off, 0);
}

void prefcolumns_init(struct prefcolumns *c, const struct pref_schema *schema)
{
	*c = (struct prefcolumns){.schema = schema};
	empty(c);
}

void prefcolumns_release(struct prefcolumns *c)
{
	for_all(c, buf_release);
}

size_t prefcolumns_size(const struct prefcolumns *c)
{
	size_t bytes = c->id.len + c->rec.len + c->seg.len + c->text.len + c->plain.len + c->tokens.len +
		       c->skip.len + c->cut.len + c->label.len + c->meta.len +
		       (c->schema->meta ? c->meta_off.len : 0);

	for (int i = 0; i < c->schema->nlogps; i++)
		bytes += c->logp[i].len + c->tlogp[i].len;
	return bytes;
}

size_t prefcolumns_room(const struct prefcolumns *c, const struct pref_rec *r)
{
	const struct pref_schema *s = c->schema;
	size_t k = (size_t)r->k, n = (size_t)(r->seg[k + 1] - r->seg[0]);
	size_t bytes = 8 + 8 + 8 * (k + 1) + n * (s->text ? 1 : sizeof *r->tokens);

	if (!s->text)
		bytes += k * sizeof *r->skip;
	if (s->plain)
		bytes += n;
	if (s->cut)
		bytes += 2 * k * sizeof *r->cut;
	if (s->label)
		bytes += k * sizeof *r->label;
	if (s->meta)
		bytes += 8 + r->meta_len;
	for (int i = 0; i < s->nlogps; i++)
		bytes +=
			sizeof(float) * (k + (s->tlogp[i] ? (size_t)pref_tlogp_start(r, r->k) : 0));
	return bytes;
}

static void add_plain(struct buf *b, const struct pref_rec *r, size_t n)
{
	char *room = r->plain ? NULL : buf_extend(b, n);

	if (r->plain)
		buf_add(b, r->plain + r->seg[0], n);
	else if (room)
		memset(room, 0, n);
}

void prefcolumns_add(struct prefcolumns *c, const struct pref_rec *r)
{
	const struct pref_schema *s = c->schema;
	size_t k = (size_t)r->k, n = (size_t)(r->seg[k + 1] - r->seg[0]);
	int64_t base = (int64_t)(s->text ? c->text.len : c->tokens.len / sizeof *r->tokens);

	c->n++;
	c->completions += r->k;
	buf_add(&c->id, &r->id, sizeof r->id);
	add_offset(&c->rec, c->completions + c->n);
	for (size_t i = 1; i <= k + 1; i++)
		add_offset(&c->seg, base + r->seg[i] - r->seg[0]);
	if (s->text) {
		buf_add(&c->text, r->text + r->seg[0], n);
		if (s->plain)
			add_plain(&c->plain, r, n);
	} else {
		buf_add(&c->tokens, r->tokens + r->seg[0], n * sizeof *r->tokens);
		buf_add(&c->skip, r->skip, k * sizeof *r->skip);
	}
	if (s->cut)
		buf_add(&c->cut, r->cut, 2 * k * sizeof *r->cut);
	if (s->label)
		buf_add(&c->label, r->label, k * sizeof *r->label);
	if (s->meta) {
		buf_add(&c->meta, r->meta, r->meta_len);
		add_offset(&c->meta_off, (int64_t)c->meta.len);
	}
	for (int i = 0; i < s->nlogps; i++) {
		buf_add(&c->logp[i], r->logp[i], k * sizeof(float));
		if (s->tlogp[i])
			buf_add(&c->tlogp[i], r->tlogp[i],
				(size_t)pref_tlogp_start(r, r->k) * sizeof(float));
	}
}

/* Names a column in the document. */
static int column(struct safetensors *doc, const char *name, enum dtype dtype, struct buf *data,
	struct err *err)
{
	int rank = strcmp(name, "cut") ? 1 : 2;
	int64_t shape[2] = {(int64_t)(data->len / dtype_size(dtype)) / rank, 2};

	return safetensors_add(doc, name, dtype, rank, shape, err) || buf_check(data, err);
}

static const struct buf *column_data(const struct prefcolumns *c, const char *name)
{
	const struct {
		const char *name;
		const struct buf *data;
	} fixed[] = {{"id", &c->id}, {"rec", &c->rec}, {"seg", &c->seg}, {"text", &c->text},
		{"plain", &c->plain}, {"tokens", &c->tokens}, {"skip", &c->skip}, {"cut", &c->cut}, {"label", &c->label},
		{"meta", &c->meta}, {"meta_off", &c->meta_off}};

	for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
		if (!strcmp(name, fixed[i].name))
			return fixed[i].data;
	if (name[0] == 't')
		return &c->tlogp[pref_schema_find(c->schema, name + strlen("tlogp."))];
	return &c->logp[pref_schema_find(c->schema, name + strlen("logp."))];
}

static int describe(struct prefcolumns *c, struct safetensors *doc, struct err *err)
{
	const struct pref_schema *s = c->schema;
	char name[PREF_MAX_NAME + 8];

	if (column(doc, "id", U64, &c->id, err) || column(doc, "rec", I64, &c->rec, err) ||
		column(doc, "seg", I64, &c->seg, err) ||
		(s->text && column(doc, "text", U8, &c->text, err)) ||
		(s->plain && column(doc, "plain", U8, &c->plain, err)) ||
		(!s->text && column(doc, "tokens", I32, &c->tokens, err)) ||
		(!s->text && column(doc, "skip", I32, &c->skip, err)) ||
		(s->cut && column(doc, "cut", I32, &c->cut, err)) ||
		(s->label && column(doc, "label", F32, &c->label, err)) ||
		(s->meta && column(doc, "meta", U8, &c->meta, err)) ||
		(s->meta && column(doc, "meta_off", I64, &c->meta_off, err)))
		return -1;
	for (int i = 0; i < s->nlogps; i++) {
		snprintf(name, sizeof name, "logp.%s", s->logp[i]);
		if (column(doc, name, F32, &c->logp[i], err))
			return -1;
		snprintf(name, sizeof name, "tlogp.%s", s->logp[i]);
		if (s->tlogp[i] && column(doc, name, F32, &c->tlogp[i], err))
			return -1;
	}
	return 0;
}

int prefcolumns_encode(struct prefcolumns *c, struct buf *out, struct err *err)
{
	struct safetensors doc = SAFETENSORS_INIT;
	int rc = describe(c, &doc, err) || safetensors_encode(&doc, out, err);

	if (rc == 0 && buf_extend(out, doc.size)) /* at once what would else grow by and by */
		out->len -= doc.size;
	for (size_t i = 0; rc == 0 && i < doc.n; i++) {
		const struct buf *data = column_data(c, doc.tensors[i].name);

		buf_add(out, data->data, data->len);
	}
	if (rc == 0)
		rc = buf_check(out, err);
	safetensors_release(&doc);
	empty(c);
	return rc ? -1 : 0;
}
