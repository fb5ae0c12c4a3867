#include "io/update.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "io/tsreader.h"

#define BLOCK_BYTES ((size_t)4 << 20)
#define BLOCK_TENSORS 64

static size_t row_bytes(const struct update_tensor *t)
{
	size_t n = dtype_size(t->type);

	for (int i = 1; i < t->rank; i++)
		n *= (size_t)t->shape[i];
	return n;
}

static size_t bytes_of(const struct update_tensor *t)
{
	return row_bytes(t) * (size_t)t->shape[0];
}

/* ---- writing */

/* Tensors of a block, borrowed; a piece of a larger one has from and rows in the metadata. */
struct block {
	struct update_tensor tensors[BLOCK_TENSORS];
	size_t n, bytes;
	int64_t from, rows;
};

static const struct update_tensor *find(const struct update_tensor *tensors, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(tensors[i].name, name))
			return &tensors[i];
	return NULL;
}

static int encode(const struct block *b, struct buf *out, struct err *err)
{
	struct safetensors doc = SAFETENSORS_INIT;
	int rc = 0;

	if (b->rows)
		rc = meta_set_int(&doc.meta, "from", b->from, err) || meta_set_int(&doc.meta, "rows", b->rows, err);
	for (size_t i = 0; rc == 0 && i < b->n; i++) {
		const struct update_tensor *t = &b->tensors[i];

		rc = safetensors_add(&doc, t->name, t->type, t->rank, t->shape, err);
	}
	rc = rc || safetensors_encode(&doc, out, err);
	for (size_t i = 0; rc == 0 && i < doc.n; i++) {
		const struct update_tensor *t = find(b->tensors, b->n, doc.tensors[i].name);

		buf_add(out, t->data, bytes_of(t));
	}
	safetensors_release(&doc);
	return rc ? -1 : buf_check(out, err);
}

static int put_block(struct tswriter *w, struct block *b, struct err *err)
{
	struct buf payload = BUF_INIT;
	size_t n = b->n;

	if (!n)
		return 0;
	if (encode(b, &payload, err)) {
		buf_release(&payload);
		return -1;
	}
	*b = (struct block){.n = 0};
	return tswriter_put(w, payload.data, payload.len, (uint32_t)n, err);
}

/* A tensor of more than a block, some rows at a time. */
static int put_pieces(struct tswriter *w, const struct update_tensor *t, struct err *err)
{
	size_t row = row_bytes(t);
	int64_t most = (int64_t)(BLOCK_BYTES / row) + 1;

	for (int64_t from = 0; from < t->shape[0]; from += most) {
		struct block b = {.tensors = {*t}, .n = 1, .from = from, .rows = t->shape[0]};

		b.tensors[0].shape[0] = t->shape[0] - from < most ? t->shape[0] - from : most;
		b.tensors[0].data = (char *)t->data + (size_t)from * row;
		if (put_block(w, &b, err))
			return -1;
	}
	return 0;
}

static int put_all(struct tswriter *w, const struct update_tensor *tensors, size_t n, struct err *err)
{
	struct block b = {.n = 0};

	for (size_t i = 0; i < n; i++) {
		size_t bytes = bytes_of(&tensors[i]);

		if ((b.n == BLOCK_TENSORS || b.bytes + bytes > BLOCK_BYTES) && put_block(w, &b, err))
			return -1;
		if (bytes > BLOCK_BYTES) {
			if (put_pieces(w, &tensors[i], err))
				return -1;
			continue;
		}
		b.tensors[b.n++] = tensors[i];
		b.bytes += bytes;
	}
	return put_block(w, &b, err);
}

int update_write(const char *path, const struct meta *meta, const struct update_tensor *tensors, size_t n,
	const struct tswriter_options *options, struct err *err)
{
	struct meta head = META_INIT;
	struct tswriter *w = NULL;
	int rc = meta_copy(&head, meta, err) || meta_set(&head, "schema", "update", err);

	if (rc == 0)
		w = tswriter_open(path, &head, options, err);
	rc = !w || put_all(w, tensors, n, err) || tswriter_finish(w, NULL, 0, 0, 0, NULL, err) ? -1 : 0;
	tswriter_close(w);
	meta_release(&head);
	return rc;
}

/* ---- reading */

struct update {
	char *path;
	struct tsreader *in;
};

struct update *update_open(const char *path, uint64_t max_payload, struct err *err)
{
	struct tsreader_options options = {.threads = 0, .max_payload = max_payload};
	struct update *u = mem_new(1, sizeof *u, err);
	const char *schema;

	if (!u)
		return NULL;
	u->path = mem_copy(path, strlen(path), err);
	u->in = u->path ? tsreader_open(&u->path, 1, &options, err) : NULL;
	if (!u->in) {
		update_close(u);
		return NULL;
	}
	schema = meta_get(tsreader_meta(u->in), "schema");
	if (!schema || strcmp(schema, "update")) {
		err_set(err, ERR_MISMATCH, "%s: no update but a stream of %.60s", path, schema ? schema : "unknown schema");
		update_close(u);
		return NULL;
	}
	return u;
}

const struct meta *update_meta(const struct update *u)
{
	return tsreader_meta(u->in);
}

const char *update_sha256(const struct update *u)
{
	return tsreader_totals(u->in)->payload_sha256;
}

/* The tensor of that name, looked for from where the last one was found. */
static size_t find_from(const struct update_tensor *tensors, size_t n, size_t start, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(tensors[(start + i) % n].name, name))
			return (start + i) % n;
	return n;
}

static bool same_row(const struct update_tensor *t, const struct safetensor *s)
{
	bool same = t->type == s->dtype && t->rank == s->rank;

	for (int i = 1; same && i < t->rank; i++)
		same = t->shape[i] == s->shape[i];
	return same;
}

/* A tensor of a block, or a piece of one: rows from a->from of a->rows. */
static int take(struct update_tensor *t, int64_t *filled, const struct safetensor *s, const uint8_t *data,
	int64_t from, int64_t rows, struct err *err)
{
	if (!same_row(t, s) || (rows < 0 ? s->shape[0] : rows) != t->shape[0])
		return err_set(err, ERR_MISMATCH, "tensor '%s' is of another type or shape", s->name);
	if (from != *filled || s->shape[0] > t->shape[0] - from)
		return err_set(err, ERR_CORRUPT, "tensor '%s': rows from %lld where %lld are due", s->name, (long long)from,
			(long long)*filled);
	memcpy((char *)t->data + (size_t)from * row_bytes(t), data + s->begin, s->end - s->begin);
	*filled += s->shape[0];
	return 0;
}

static int take_block(const struct tsblock *b, struct update_tensor *tensors, int64_t *filled, size_t n, size_t *at,
	struct err *err)
{
	int64_t from = meta_get_int(&b->doc.meta, "from", 0), rows = meta_get_int(&b->doc.meta, "rows", -1);

	for (size_t i = 0; i < b->doc.n; i++) {
		const struct safetensor *s = &b->doc.tensors[i];
		size_t k = n ? find_from(tensors, n, *at, s->name) : 0;

		if (k == n && strchr(s->name, '#'))
			continue;
		if (k == n)
			return err_set(err, ERR_MISMATCH, "tensor '%s' is none of this model's", s->name);
		*at = k;
		if (take(&tensors[k], &filled[k], s, b->payload + b->doc.data, from, rows, err))
			return -1;
	}
	return 0;
}

int update_read(struct update *u, struct update_tensor *tensors, size_t n, struct err *err)
{
	int64_t *filled = mem_new(n, sizeof *filled, err);
	struct tsblock *b;
	size_t at = 0;
	int rc = filled ? 1 : -1;

	while (rc == 1 && (rc = tsreader_next(u->in, &b, err)) == 1)
		if (take_block(b, tensors, filled, n, &at, err))
			rc = err_at(err, "%s", u->path);
	for (size_t i = 0; rc == 0 && i < n; i++)
		if (filled[i] != tensors[i].shape[0])
			rc = err_set(err, ERR_MISMATCH, "%s: tensor '%s' is missing", u->path, tensors[i].name);
	free(filled);
	return rc;
}

void update_close(struct update *u)
{
	if (!u)
		return;
	tsreader_close(u->in);
	free(u->path);
	free(u);
}
