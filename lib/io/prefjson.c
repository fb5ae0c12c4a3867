#include "io/prefjson.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- out */

static void put_int(struct buf *out, int64_t x)
{
	char digits[24], *p = digits + sizeof digits;
	uint64_t rest = x < 0 ? -(uint64_t)x : (uint64_t)x;

	do
		*--p = (char)('0' + rest % 10);
	while (rest /= 10);
	if (x < 0)
		*--p = '-';
	buf_add(out, p, (size_t)(digits + sizeof digits - p));
}

static void put_ints(struct buf *out, const int32_t *x, int64_t n)
{
	buf_add_char(out, '[');
	for (int64_t i = 0; i < n; i++) {
		if (i)
			buf_add_char(out, ',');
		put_int(out, x[i]);
	}
	buf_add_char(out, ']');
}

static void put_floats(struct buf *out, const float *x, int64_t n)
{
	char text[32];

	buf_add_char(out, '[');
	for (int64_t i = 0; i < n; i++) {
		snprintf(text, sizeof text, "%s%.9g", i ? "," : "", x[i]);
		buf_add_str(out, text);
	}
	buf_add_char(out, ']');
}

static void put_segment(
	struct buf *out, const struct pref_rec *r, const struct pref_schema *s, int segment)
{
	if (s->text)
		json_quote(out, r->text + r->seg[segment], (size_t)pref_len(r, segment));
	else
		put_ints(out, r->tokens + r->seg[segment], pref_len(r, segment));
}

static void put_completions(struct buf *out, const struct pref_rec *r, const struct pref_schema *s)
{
	if (r->k == 2) {
		buf_add_str(out, ",\"chosen\":");
		put_segment(out, r, s, 1);
		buf_add_str(out, ",\"rejected\":");
		put_segment(out, r, s, 2);
		return;
	}
	buf_add_str(out, ",\"completions\":[");
	for (int i = 1; i <= r->k; i++) {
		if (i > 1)
			buf_add_char(out, ',');
		put_segment(out, r, s, i);
	}
	buf_add_char(out, ']');
}

/* As ranges of the record's bytes: [[from, behind], ...]. */
static void put_plain(struct buf *out, const struct pref_rec *r)
{
	int64_t from = r->seg[0], end = r->seg[r->k + 1];
	const char *comma = "";

	buf_add_str(out, ",\"plain\":[");
	for (int64_t i = from, to; i < end; i = to) {
		for (to = i + 1; to < end && r->plain[to] == r->plain[i];)
			to++;
		if (!r->plain[i])
			continue;
		buf_add_fmt(out, "%s[%lld,%lld]", comma, (long long)(i - from), (long long)(to - from));
		comma = ",";
	}
	buf_add_char(out, ']');
}

static void put_columns(struct buf *out, const struct pref_rec *r, const struct pref_schema *s)
{
	bool skip = false;

	for (int i = 0; r->skip && i < r->k; i++)
		skip |= r->skip[i] != 0;
	if (skip) {
		buf_add_str(out, ",\"skip\":");
		put_ints(out, r->skip, r->k);
	}
	if (s->plain)
		put_plain(out, r);
	if (s->label) {
		buf_add_str(out, ",\"label\":");
		put_floats(out, r->label, r->k);
	}
	if (s->cut) {
		buf_add_str(out, ",\"cut\":[");
		for (int i = 0; i < r->k; i++) {
			if (i)
				buf_add_char(out, ',');
			put_ints(out, r->cut + 2 * i, 2);
		}
		buf_add_char(out, ']');
	}
	for (int l = 0; l < s->nlogps; l++) {
		buf_add_fmt(out, ",\"logp.%s\":", s->logp[l]);
		put_floats(out, r->logp[l], r->k);
		if (!s->tlogp[l])
			continue;
		buf_add_fmt(out, ",\"tlogp.%s\":[", s->logp[l]);
		for (int i = 0; i < r->k; i++) {
			if (i)
				buf_add_char(out, ',');
			put_floats(out, r->tlogp[l] + pref_tlogp_start(r, i), pref_counted(r, i));
		}
		buf_add_char(out, ']');
	}
}

int prefjson_write(
	struct buf *out, const struct pref_rec *r, const struct pref_schema *s, struct err *err)
{
	struct json *meta = NULL;

	if (s->meta && r->meta_len) {
		meta = json_parse(r->meta, r->meta_len, err);
		if (!meta)
			return err_at(err, "meta");
		if (json_kind(meta) != JSON_OBJECT) {
			json_free(meta);
			return err_set(err, ERR_CORRUPT, "meta is not a JSON object");
		}
	}
	buf_add_fmt(out, "{\"id\":\"%016llx\",\"prompt\":", (unsigned long long)r->id);
	put_segment(out, r, s, 0);
	put_completions(out, r, s);
	put_columns(out, r, s);
	if (s->meta) {
		buf_add_str(out, ",\"meta\":");
		if (meta)
			json_write(out, meta);
		else
			buf_add_str(out, "{}");
	}
	buf_add_str(out, "}\n");
	json_free(meta);
	return buf_check(out, err);
}

/* ---- in */

struct fields {
	const struct json *id, *prompt, *chosen, *rejected, *completion, *completions;
	const struct json *skip, *plain, *label, *cut, *meta, *logp[PREF_MAX_LOGPS], *tlogp[PREF_MAX_LOGPS];
};

/* Where the field of that name belongs; NULL where there is no such. */
static const struct json **field(struct fields *f, const struct pref_schema *s, const char *name)
{
	const struct {
		const char *name;
		const struct json **at;
	} fixed[] = {{"id", &f->id}, {"prompt", &f->prompt}, {"chosen", &f->chosen},
		{"rejected", &f->rejected}, {"completion", &f->completion},
		{"completions", &f->completions}, {"skip", &f->skip}, {"label", &f->label},
		{"plain", &f->plain}, {"cut", &f->cut}, {"meta", &f->meta}};
	int l;

	for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
		if (!strcmp(name, fixed[i].name))
			return fixed[i].at;
	if (!strncmp(name, "logp.", 5) && (l = pref_schema_find(s, name + 5)) >= 0)
		return &f->logp[l];
	if (!strncmp(name, "tlogp.", 6) && (l = pref_schema_find(s, name + 6)) >= 0)
		return &f->tlogp[l];
	return NULL;
}

static int collect(
	struct fields *f, const struct pref_schema *s, const struct json *row, struct err *err)
{
	*f = (struct fields){0};
	if (json_kind(row) != JSON_OBJECT)
		return err_set(err, ERR_CORRUPT, "not a JSON object");
	for (const struct json *v = json_first(row); v; v = json_next(v)) {
		const char *name = json_key(v);
		const struct json **at = field(f, s, name);

		if (!at && (!strncmp(name, "logp.", 5) || !strncmp(name, "tlogp.", 6)))
			return err_set(
				err, ERR_MISMATCH, "'%.60s' is not in the first record", name);
		if (!at)
			return err_set(err, ERR_CORRUPT,
				"unknown field '%.60s' (\"meta\":{...} is the place for others)",
				name);
		if (*at)
			return err_set(err, ERR_CORRUPT, "field '%.60s' twice", name);
		*at = v;
	}
	return 0;
}

int prefjson_schema(struct pref_schema *s, const struct json *row, struct err *err)
{
	int l;

	*s = (struct pref_schema){
		.text = json_kind(json_get(row, "prompt")) == JSON_STRING,
		.plain = json_get(row, "plain"),
		.label = json_get(row, "label"),
		.cut = json_get(row, "cut"),
		.meta = json_get(row, "meta"),
	};
	for (const struct json *v = json_first(row); v; v = json_next(v))
		if (json_key(v) && !strncmp(json_key(v), "logp.", 5) &&
			pref_schema_add(s, json_key(v) + 5, false, err)) {
			err->code = ERR_CORRUPT;
			return -1;
		}
	for (const struct json *v = json_first(row); v; v = json_next(v))
		if (json_key(v) && !strncmp(json_key(v), "tlogp.", 6)) {
			l = pref_schema_find(s, json_key(v) + 6);
			if (l < 0 || s->text)
				return err_set(err, ERR_CORRUPT, "'%.60s' %s", json_key(v),
					s->text ? "in text" : "without the logp of that name");
			s->tlogp[l] = true;
		}
	return 0;
}

static int check_columns(const struct fields *f, const struct pref_schema *s, struct err *err)
{
	const struct {
		const char *name;
		const struct json *given;
		bool due;
	} fixed[] = {
		{"plain", f->plain, s->plain}, {"label", f->label, s->label}, {"cut", f->cut, s->cut},
		{"meta", f->meta, s->meta}};

	for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
		if (!fixed[i].given == fixed[i].due)
			return err_set(err, ERR_MISMATCH, "'%s' %s", fixed[i].name,
				fixed[i].due ? "is missing, the first record has it"
					     : "is not in the first record");
	for (int l = 0; l < s->nlogps; l++)
		if (!f->logp[l] || !f->tlogp[l] == s->tlogp[l])
			return err_set(err, ERR_MISMATCH, "'%slogp.%s' %s", f->logp[l] ? "t" : "",
				s->logp[l],
				f->tlogp[l] && f->logp[l] ? "is not in the first record"
							  : "is missing, the first record has it");
	return 0;
}

/* The completions as a list of values; NULL with err set. *k is set. */
static const struct json **list_completions(
	const struct fields *f, struct arena *arena, int *k, struct err *err)
{
	int forms = (f->chosen || f->rejected) + !!f->completion + !!f->completions, n = 0;
	size_t count = f->completions ? json_count(f->completions) : f->completion ? 1 : 2;
	const struct json **list;

	if (forms != 1 || !f->chosen != !f->rejected) {
		err_set(err, ERR_CORRUPT,
			"neither \"chosen\" and \"rejected\" nor \"completions\", or both");
		return NULL;
	}
	if (f->completions && json_kind(f->completions) != JSON_ARRAY) {
		err_set(err, ERR_CORRUPT, "completions is not a list");
		return NULL;
	}
	if (count < 1 || count > PREF_MAX_COMPLETIONS) {
		err_set(err, ERR_CORRUPT, "%zu completions; there must be 1 to %d", count,
			PREF_MAX_COMPLETIONS);
		return NULL;
	}
	*k = (int)count;
	list = arena_new(arena, count, sizeof *list, err);
	if (!list)
		return NULL;
	for (const struct json *v = json_first(f->completions); v; v = json_next(v))
		list[n++] = v;
	if (f->completion)
		list[0] = f->completion;
	if (f->chosen) {
		list[0] = f->chosen;
		list[1] = f->rejected;
	}
	return list;
}

/* A whole number from min up to, but not including, end. */
static int read_int(int32_t *to, const struct json *v, int64_t min, int64_t end, const char *what,
	struct err *err)
{
	int64_t x;
	double d;

	if (json_int(v, &x) && x >= min && x < end) {
		*to = (int32_t)x;
		return 0;
	}
	if (json_number(v, &d))
		return err_set(err, ERR_CORRUPT,
			"%s: %.17g is not a whole number from %lld to %lld", what, d,
			(long long)min, (long long)end - 1);
	return err_set(err, ERR_CORRUPT, "%s: not a number", what);
}

static int read_ints(int32_t *to, const struct json *v, int64_t n, int64_t end, const char *what,
	struct err *err)
{
	if (json_kind(v) != JSON_ARRAY || json_count(v) != (size_t)n)
		return err_set(
			err, ERR_CORRUPT, "%s is not a list of %lld numbers", what, (long long)n);
	for (v = json_first(v); v; v = json_next(v))
		if (read_int(to++, v, 0, end, what, err))
			return -1;
	return 0;
}

static int read_floats(
	float *to, const struct json *v, int64_t n, float max, const char *what, struct err *err)
{
	double d;

	if (json_kind(v) != JSON_ARRAY || json_count(v) != (size_t)n)
		return err_set(
			err, ERR_CORRUPT, "%s is not a list of %lld numbers", what, (long long)n);
	for (v = json_first(v); v; v = json_next(v)) {
		if (!json_number(v, &d))
			return err_set(err, ERR_CORRUPT, "%s: not a number", what);
		*to = (float)d;
		if (!isfinite(*to) || *to > max)
			return err_set(err, ERR_CORRUPT, "%s: %.9g is out of range", what, d);
		to++;
	}
	return 0;
}

static const char *segment_name(int i, char name[32])
{
	if (i)
		snprintf(name, 32, "completion %d", i);
	else
		strcpy(name, "prompt");
	return name;
}

static int read_segments(struct pref_rec *r, const struct pref_schema *s, const struct fields *f,
	struct arena *arena, struct err *err)
{
	const struct json **list = list_completions(f, arena, &r->k, err), *v;
	int64_t *seg = list ? arena_new(arena, (size_t)r->k + 2, sizeof *seg, err) : NULL;
	int64_t vocab = s->vocab ? s->vocab : INT32_MAX;
	int32_t *tokens = NULL;
	char *text = NULL, name[32];
	size_t n;

	if (!seg)
		return -1;
	seg[0] = 0;
	for (int i = 0; i <= r->k; i++) {
		v = i ? list[i - 1] : f->prompt;
		if (json_kind(v) != (s->text ? JSON_STRING : JSON_ARRAY))
			return err_set(err, ERR_CORRUPT, "%s is %s", segment_name(i, name),
				!v	  ? "missing"
				: s->text ? "not a string, as the first record's prompt is"
					  : "not a list of token ids");
		if (!json_string(v, &n))
			n = json_count(v);
		seg[i + 1] = seg[i] + (int64_t)n;
	}
	r->seg = seg;
	if (s->text)
		r->text = text = arena_new(arena, (size_t)seg[r->k + 1], 1, err);
	else
		r->tokens = tokens = arena_new(arena, (size_t)seg[r->k + 1], sizeof *tokens, err);
	if (!text && !tokens)
		return -1;
	for (int i = 0; i <= r->k; i++) {
		v = i ? list[i - 1] : f->prompt;
		if (text)
			memcpy(text + seg[i], json_string(v, &n), (size_t)pref_len(r, i));
		else if (read_ints(tokens + seg[i], v, pref_len(r, i), vocab, segment_name(i, name),
				 err))
			return -1;
	}
	return 0;
}

static int read_skip(
	struct pref_rec *r, const struct fields *f, struct arena *arena, struct err *err)
{
	int32_t *skip = arena_new(arena, (size_t)r->k, sizeof *skip, err);

	if (!skip)
		return -1;
	memset(skip, 0, (size_t)r->k * sizeof *skip);
	r->skip = skip;
	if (f->skip && read_ints(skip, f->skip, r->k, INT32_MAX, "skip", err))
		return -1;
	for (int i = 0; i < r->k; i++)
		if (skip[i] > pref_len(r, i + 1))
			return err_set(err, ERR_CORRUPT, "skip: %d of a completion of %lld tokens",
				skip[i], (long long)pref_len(r, i + 1));
	return 0;
}

static int read_plain(
	struct pref_rec *r, const struct fields *f, struct arena *arena, struct err *err)
{
	int64_t n = r->seg[r->k + 1], from, to;
	uint8_t *plain = arena_new(arena, (size_t)n + 1, 1, err);

	if (!plain)
		return -1;
	memset(plain, 0, (size_t)n + 1);
	r->plain = plain;
	if (!r->text || json_kind(f->plain) != JSON_ARRAY)
		return err_set(err, ERR_CORRUPT, "plain is not a list of ranges of text");
	for (const struct json *v = json_first(f->plain); v; v = json_next(v)) {
		if (json_count(v) != 2 || !json_int(json_first(v), &from) ||
			!json_int(json_next(json_first(v)), &to) || from < 0 || from >= to || to > n)
			return err_set(err, ERR_CORRUPT, "plain: not a range of %lld bytes of text", (long long)n);
		memset(plain + from, 1, (size_t)(to - from));
	}
	return 0;
}

static int read_cut(
	struct pref_rec *r, const struct fields *f, struct arena *arena, struct err *err)
{
	int32_t *cut = arena_new(arena, (size_t)r->k, 2 * sizeof *cut, err);
	const struct json *v = json_first(f->cut);

	if (!cut)
		return -1;
	r->cut = cut;
	if (json_kind(f->cut) != JSON_ARRAY || json_count(f->cut) != (size_t)r->k)
		return err_set(err, ERR_CORRUPT, "cut is not a list of %d pairs", r->k);
	for (; v; v = json_next(v), cut += 2)
		if (read_ints(cut, v, 2, INT32_MAX, "cut", err))
			return -1;
	return 0;
}

static int read_logps(struct pref_rec *r, const struct pref_schema *s, const struct fields *f,
	struct arena *arena, struct err *err)
{
	char name[PREF_MAX_NAME + 8];
	const struct json *v;
	float *p, *t;

	for (int l = 0; l < s->nlogps; l++) {
		snprintf(name, sizeof name, "logp.%s", s->logp[l]);
		p = arena_new(arena, (size_t)r->k, sizeof *p, err);
		if (!p || read_floats(p, f->logp[l], r->k, PREF_LOGP_MAX, name, err))
			return -1;
		r->logp[l] = p;
		if (!s->tlogp[l])
			continue;
		snprintf(name, sizeof name, "tlogp.%s", s->logp[l]);
		if (json_kind(f->tlogp[l]) != JSON_ARRAY || json_count(f->tlogp[l]) != (size_t)r->k)
			return err_set(
				err, ERR_CORRUPT, "%s is not a list of %d lists", name, r->k);
		t = arena_new(arena, (size_t)pref_tlogp_start(r, r->k), sizeof *t, err);
		if (!t)
			return -1;
		r->tlogp[l] = t;
		v = json_first(f->tlogp[l]);
		for (int i = 0; i < r->k; t += pref_counted(r, i++), v = json_next(v))
			if (read_floats(t, v, pref_counted(r, i), PREF_LOGP_MAX, name, err))
				return -1;
	}
	return 0;
}

static int read_meta(
	struct pref_rec *r, const struct fields *f, struct arena *arena, struct err *err)
{
	struct buf text = BUF_INIT;
	int rc;

	if (json_kind(f->meta) != JSON_OBJECT)
		return err_set(err, ERR_CORRUPT, "meta is not an object");
	if (json_first(f->meta))
		json_write(&text, f->meta);
	rc = buf_check(&text, err);
	r->meta_len = text.len;
	if (rc == 0)
		r->meta = arena_copy(arena, text.data, text.len, err);
	buf_release(&text);
	return rc == 0 && r->meta ? 0 : -1;
}

static int read_id(struct pref_rec *r, const struct fields *f, struct err *err)
{
	const char *text = json_text(f->id);
	uint64_t id = 0;

	if (!f->id)
		return pref_make_id(r, err);
	if (!text || strlen(text) != 16 || strspn(text, "0123456789abcdef") != 16)
		return err_set(err, ERR_CORRUPT, "id is not 16 lower-case hexadecimal digits");
	for (; *text; text++)
		id = id << 4 | (uint64_t)(*text <= '9' ? *text - '0' : *text - 'a' + 10);
	r->id = id;
	return 0;
}

int prefjson_read(struct pref_rec *r, const struct pref_schema *s, const struct json *row,
	struct arena *arena, struct err *err)
{
	struct fields f;
	float *label = NULL;

	*r = (struct pref_rec){0};
	if (collect(&f, s, row, err) || check_columns(&f, s, err) ||
		read_segments(r, s, &f, arena, err))
		return -1;
	if (s->text && f.skip)
		return err_set(err, ERR_CORRUPT, "skip in text");
	if ((!s->text && read_skip(r, &f, arena, err)) || (s->plain && read_plain(r, &f, arena, err)))
		return -1;
	if (s->label) {
		r->label = label = arena_new(arena, (size_t)r->k, sizeof *label, err);
		if (!label || read_floats(label, f.label, r->k, INFINITY, "label", err))
			return -1;
	}
	if ((s->cut && read_cut(r, &f, arena, err)) || read_logps(r, s, &f, arena, err) ||
		(s->meta && read_meta(r, &f, arena, err)))
		return -1;
	return read_id(r, &f, err);
}
