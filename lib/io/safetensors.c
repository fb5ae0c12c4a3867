#include "io/safetensors.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "io/json.h"

#define STRICT_TENSORS 64
#define STRICT_RANK 4
#define LENIENT_HEADER ((uint64_t)100000000)
#define LENIENT_TENSORS 1000000
#define MAX_META 10000
#define META_KEY "__metadata__"

void safetensors_release(struct safetensors *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->tensors[i].name);
	free(s->tensors);
	meta_release(&s->meta);
	*s = (struct safetensors)SAFETENSORS_INIT;
}

const struct safetensor *safetensors_find(const struct safetensors *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++)
		if (!strcmp(s->tensors[i].name, name))
			return &s->tensors[i];
	return NULL;
}

size_t safetensor_count(const struct safetensor *t)
{
	size_t n = 1;

	for (int i = 0; i < t->rank; i++)
		n *= (size_t)t->shape[i];
	return n;
}

int safetensors_add(struct safetensors *s, const char *name, enum dtype dtype, int rank,
	const int64_t *shape, struct err *err)
{
	struct safetensor t = {.dtype = dtype, .rank = rank};

	if (mem_grow(&s->tensors, &s->cap, s->n + 1, sizeof t, err) ||
		!(t.name = mem_copy(name, strlen(name), err)))
		return -1;
	memcpy(t.shape, shape, (size_t)rank * sizeof *shape);
	s->tensors[s->n++] = t;
	return 0;
}

/* Bytes of data by shape and dtype; false on overflow. */
static bool data_size(const struct safetensor *t, uint64_t *bytes)
{
	*bytes = dtype_size(t->dtype);
	for (int i = 0; i < t->rank; i++)
		if (t->shape[i] < 0 || __builtin_mul_overflow(*bytes, (uint64_t)t->shape[i], bytes))
			return false;
	return *bytes <= (uint64_t)1 << 62;
}

static int canonical_order(const void *a, const void *b)
{
	const struct safetensor *x = a, *y = b;
	size_t p = dtype_size(x->dtype), q = dtype_size(y->dtype);

	return p != q ? (p < q) - (p > q) : strcmp(x->name, y->name);
}

static void write_header(const struct safetensors *s, struct buf *out)
{
	size_t start = out->len;
	uint64_t length;
	const char *comma = "";

	buf_extend(out, 8);
	buf_add_char(out, '{');
	if (s->meta.n) {
		buf_add_str(out, "\"" META_KEY "\":");
		meta_write(out, &s->meta);
		comma = ",";
	}
	for (size_t i = 0; i < s->n; i++, comma = ",") {
		const struct safetensor *t = &s->tensors[i];

		buf_add_str(out, comma);
		json_quote(out, t->name, strlen(t->name));
		buf_add_fmt(out, ":{\"dtype\":\"%s\",\"shape\":[", dtype_name(t->dtype));
		for (int d = 0; d < t->rank; d++)
			buf_add_fmt(out, "%s%lld", d ? "," : "", (long long)t->shape[d]);
		buf_add_fmt(out, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)t->begin,
			(unsigned long long)t->end);
	}
	buf_add_char(out, '}');
	while ((out->len - start) % 64 && !out->failed)
		buf_add_char(out, ' ');
	length = out->len - start - 8;
	if (!out->failed)
		memcpy(out->data + start, &length, 8);
}

int safetensors_encode(struct safetensors *s, struct buf *out, struct err *err)
{
	uint64_t bytes;
	size_t start = out->len;

	if (s->n)
		qsort(s->tensors, s->n, sizeof *s->tensors, canonical_order);
	s->size = 0;
	for (size_t i = 0; i < s->n; i++) {
		if (!data_size(&s->tensors[i], &bytes) || s->size + bytes < s->size)
			return err_set(
				err, ERR_LIMIT, "tensor '%s' is too large", s->tensors[i].name);
		s->tensors[i].begin = s->size;
		s->tensors[i].end = s->size += bytes;
	}
	write_header(s, out);
	s->data = out->len - start;
	return buf_check(out, err);
}

static int parse_meta(struct meta *meta, const struct json *v, struct err *err)
{
	if (json_kind(v) != JSON_OBJECT)
		return err_set(
			err, ERR_CORRUPT, "safetensors header: '" META_KEY "' is not an object");
	if (json_count(v) > MAX_META)
		return err_set(err, ERR_CORRUPT,
			"safetensors header: more than %d entries of metadata", MAX_META);
	for (v = json_first(v); v; v = json_next(v)) {
		size_t n;
		const char *s = json_string(v, &n);

		if (!s || strlen(s) != n)
			return err_set(err, ERR_CORRUPT,
				"safetensors header: metadata '%s' is not plain text", json_key(v));
		if (meta_get(meta, json_key(v)))
			return err_set(err, ERR_CORRUPT, "safetensors header: metadata '%s' twice",
				json_key(v));
		if (meta_set(meta, json_key(v), s, err))
			return -1;
	}
	return 0;
}

static int parse_tensor(struct safetensors *s, const struct json *v, struct err *err)
{
	const char *name = json_key(v), *type = json_text(json_get(v, "dtype"));
	const struct json *shape = json_get(v, "shape"), *range = json_get(v, "data_offsets");
	int64_t dims[SAFETENSORS_MAX_RANK], from, to;
	enum dtype dtype = type ? dtype_parse(type, strlen(type)) : DTYPE_NONE;
	struct safetensor *t;
	uint64_t bytes;
	int rank = 0;

	if (json_kind(v) != JSON_OBJECT || json_count(v) != 3)
		return err_set(err, ERR_CORRUPT,
			"tensor '%s' is not described by dtype, shape and data_offsets", name);

	if (dtype == DTYPE_NONE)
		return err_set(err, ERR_CORRUPT, "tensor '%s': unknown dtype '%s'", name,
			type ? type : "");
	if (json_kind(shape) != JSON_ARRAY || json_kind(range) != JSON_ARRAY ||
		json_count(range) != 2 || !json_int(json_first(range), &from) ||
		!json_int(json_next(json_first(range)), &to) || from < 0 || to < from)
		return err_set(err, ERR_CORRUPT,
			"tensor '%s': shape or data_offsets missing or wrong", name);
	for (shape = json_first(shape); shape; shape = json_next(shape)) {
		if (rank == SAFETENSORS_MAX_RANK)
			return err_set(err, ERR_CORRUPT, "tensor '%s': more than %d dimensions",
				name, SAFETENSORS_MAX_RANK);
		if (!json_int(shape, &dims[rank]) || dims[rank] < 0)
			return err_set(err, ERR_CORRUPT, "tensor '%s': dimension %d is not a size",
				name, rank);
		rank++;
	}
	if (safetensors_add(s, name, dtype, rank, dims, err))
		return -1;
	t = &s->tensors[s->n - 1];
	t->begin = (uint64_t)from;
	t->end = (uint64_t)to;
	if (!data_size(t, &bytes) || bytes != t->end - t->begin)
		return err_set(err, ERR_CORRUPT,
			"tensor '%s': bytes %lld to %lld do not fit its shape", name,
			(long long)from, (long long)to);
	if (t->end > s->size)
		return err_set(err, ERR_CORRUPT,
			"tensor '%s': data ends at byte %lld, there are %llu", name, (long long)to,
			(unsigned long long)s->size);
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const struct safetensor *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static int by_place(const void *a, const void *b)
{
	const struct safetensor *const *x = a, *const *y = b;

	if ((*x)->begin != (*y)->begin)
		return (*x)->begin < (*y)->begin ? -1 : 1;
	return (*x)->end < (*y)->end ? -1 : (*x)->end > (*y)->end;
}

/* No name twice, no byte in two tensors or in none. */
static int check_cover(const struct safetensors *s, struct err *err)
{
	const struct safetensor **order = mem_new(s->n, sizeof *order, err);
	uint64_t at = 0;
	int rc = order ? 0 : -1;

	for (size_t i = 0; order && i < s->n; i++)
		order[i] = &s->tensors[i];
	if (order)
		qsort(order, s->n, sizeof *order, by_name);
	for (size_t i = 1; rc == 0 && i < s->n; i++)
		if (!strcmp(order[i]->name, order[i - 1]->name))
			rc = err_set(err, ERR_CORRUPT, "tensor '%s' twice", order[i]->name);
	if (order)
		qsort(order, s->n, sizeof *order, by_place);
	for (size_t i = 0; rc == 0 && i < s->n; i++) {
		if (order[i]->begin != at)
			rc = err_set(err, ERR_CORRUPT,
				"tensor '%s': data starts at byte %llu instead of %llu",
				order[i]->name, (unsigned long long)order[i]->begin,
				(unsigned long long)at);
		at = order[i]->end;
	}
	if (rc == 0 && at != s->size)
		rc = err_set(err, ERR_CORRUPT, "tensors end at byte %llu of %llu",
			(unsigned long long)at, (unsigned long long)s->size);
	free(order);
	return rc;
}

static int check_canonical(const struct safetensors *s, const uint8_t *doc, struct err *err)
{
	struct buf again = BUF_INIT;
	int rc;

	for (size_t i = 0; i < s->n; i++)
		if (s->tensors[i].rank > STRICT_RANK)
			return err_set(err, ERR_CORRUPT, "tensor '%s': more than %d dimensions",
				s->tensors[i].name, STRICT_RANK);
	for (size_t i = 1; i < s->n; i++)
		if (canonical_order(&s->tensors[i - 1], &s->tensors[i]) >= 0)
			return err_set(err, ERR_CORRUPT, "tensor '%s' is out of order",
				s->tensors[i].name);
	write_header(s, &again);
	while (s->n == 0 && again.len < s->data && !again.failed) /* END is of a fixed size */
		buf_add_char(&again, ' ');
	rc = buf_check(&again, err);
	if (rc == 0 && (again.len != s->data || s->data % 64 ||
			       memcmp(again.data + 8, doc + 8, s->data - 8)))
		rc = err_set(err, ERR_CORRUPT, "safetensors header is not canonical");
	buf_release(&again);
	return rc;
}

int safetensors_parse(struct safetensors *s, const void *doc, size_t size,
	enum safetensors_rules rules, struct err *err)
{
	bool strict = rules == SAFETENSORS_STRICT;
	uint64_t length;
	struct json *root;
	bool meta = false;
	int rc = 0;

	if (size < 8)
		return err_set(err, ERR_CORRUPT, "safetensors: %zu bytes are too few", size);
	memcpy(&length, doc, 8);
	if (length > (strict ? SAFETENSORS_STRICT_HEADER : LENIENT_HEADER) || length > size - 8)
		return err_set(err, ERR_CORRUPT,
			"safetensors: a header of %llu bytes in a file of %zu",
			(unsigned long long)length, size);
	s->data = 8 + length;
	s->size = size - s->data;
	root = json_parse((const char *)doc + 8, length, err);
	if (!root)
		return err_at(err, "safetensors header");
	if (json_kind(root) != JSON_OBJECT || ((const char *)doc)[8] != '{')
		rc = err_set(err, ERR_CORRUPT, "safetensors header is not an object");
	for (const struct json *v = json_first(root); rc == 0 && v; v = json_next(v)) {
		if (!strcmp(json_key(v), META_KEY)) {
			rc = meta ? err_set(err, ERR_CORRUPT,
					    "safetensors header: '" META_KEY "' twice")
				  : parse_meta(&s->meta, v, err);
			meta = true;
		} else if (s->n == (strict ? STRICT_TENSORS : LENIENT_TENSORS)) {
			rc = err_set(err, ERR_CORRUPT, "safetensors header: more than %zu tensors",
				s->n);
		} else {
			rc = parse_tensor(s, v, err);
		}
	}
	json_free(root);
	if (rc == 0)
		rc = check_cover(s, err);
	if (rc == 0 && strict)
		rc = check_canonical(s, doc, err);
	return rc;
}
