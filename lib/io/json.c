#include "io/json.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "io/file.h"

/*
 * struct json is cJSON's node under another name. cJSON ends strings at a zero byte, so "\u0000" is
 * handed to it as C0 80, which valid UTF-8 never contains, and put right afterwards; a string's length
 * is kept in its node's valuedouble.
 */
static const cJSON *node(const struct json *v)
{
	return (const cJSON *)(const void *)v;
}

static const struct json *value(const cJSON *n)
{
	return (const struct json *)(const void *)n;
}

#define EACH UINT64_C(0x0101010101010101) /* times a byte: eight of them */

static const char zero[2] = {(char)0xc0, (char)0x80};

/* The text with each \u0000 replaced; *n its new length. For free(). */
static char *hide_zeros(const char *text, size_t *n)
{
	char *copy = malloc(*n + 1);
	size_t to = 0;

	for (size_t i = 0; copy && i < *n; i++) {
		if (text[i] == '\\' && *n - i >= 6 && !memcmp(text + i, "\\u0000", 6)) {
			memcpy(copy + to, zero, 2);
			to += 2;
			i += 5;
			continue;
		}
		copy[to++] = text[i];
		if (text[i] == '\\' && i + 1 < *n)
			copy[to++] = text[++i];
	}
	*n = to;
	return copy;
}

struct source {
	const char *at, *end;
};

/* The next number, which there is, outside strings: its n bytes. */
static const char *find_number(struct source *s, size_t *n)
{
	const char *p = s->at, *number;

	for (; !memchr("-0123456789", *p, 11); p++)
		if (*p == '"')
			for (p++; *p != '"'; p++)
				p += *p == '\\';
	for (number = p; p < s->end && memchr("+-.0123456789Ee", *p, 15);)
		p++;
	*n = (size_t)(p - number);
	s->at = p;
	return number;
}

/*
 * A double may not say what the text did: that it is no integer (1.0), or all its digits. Then the text is
 * kept where a string node has its own.
 */
static const char *keep_number(cJSON *n, struct source *source)
{
	size_t len;
	const char *text = find_number(source, &len);

	if (!isfinite(n->valuedouble))
		return "a number is too large";
	if (len <= 15 && !memchr(text, '.', len) && !memchr(text, 'e', len) && !memchr(text, 'E', len))
		return NULL;
	n->valuestring = strndup(text, len);
	return n->valuestring ? NULL : "out of memory";
}

/* Sets strings' lengths and numbers' texts. NULL, or what cJSON let pass and must not be. */
static const char *measure(cJSON *n, struct source *source)
{
	size_t len, to = 0;
	const char *wrong = NULL;

	for (; n && !wrong; n = n->next) {
		if (n->string && strchr(n->string, zero[0]))
			return "a name holds a zero byte";
		if (cJSON_IsNumber(n))
			wrong = keep_number(n, source);
		if (cJSON_IsString(n)) {
			len = strlen(n->valuestring);
			if (memchr(n->valuestring, zero[0], len)) {
				for (size_t i = to = 0; i < len; i++) {
					bool hidden = n->valuestring[i] == zero[0];

					n->valuestring[to++] = hidden ? '\0' : n->valuestring[i];
					i += hidden;
				}
				len = to;
				n->valuestring[len] = '\0';
			}
			n->valuedouble = (double)len;
		}
		if (n->child && !wrong)
			wrong = measure(n->child, source);
	}
	return wrong;
}

/* Each of eight bytes' highest bit, where it is less than `limit`, which is at most 128. */
static uint64_t bytes_below(uint64_t eight, uint8_t limit)
{
	return (eight - EACH * limit) & ~eight & EACH * 0x80;
}

/* The first control character that no JSON text may hold; n where there is none. */
static size_t find_control(const char *text, size_t n)
{
	uint64_t eight;
	size_t i = 0;

	while (i < n) {
		if (n - i >= 8) {
			memcpy(&eight, text + i, 8);
			if (!bytes_below(eight, 0x20)) {
				i += 8;
				continue;
			}
		}
		if ((unsigned char)text[i] < 0x20 && text[i] != '\t' && text[i] != '\n' && text[i] != '\r')
			break;
		i++;
	}
	return i;
}

/* Is there a zero byte, as \u0000? */
static bool has_zero(const char *text, size_t n)
{
	const char *end = text + n, *p = text;

	while ((p = memchr(p, '\\', (size_t)(end - p)))) {
		if (end - p >= 6 && !memcmp(p, "\\u0000", 6))
			return true;
		if (end - p < 2)
			break;
		p += 2;
	}
	return false;
}

/* Where in the text given is what stands at byte n of the one with hidden zeros? */
static size_t unhide(const char *hidden, size_t n)
{
	size_t more = 0;

	for (size_t i = 0; i < n; i++)
		more += hidden[i] == zero[0] ? 4 : 0;
	return n + more;
}

static bool is_deep(const char *text, size_t at)
{
	size_t deep = 0;

	for (size_t i = 0; i < at; i++) {
		if (text[i] == '"')
			for (i++; i < at && text[i] != '"'; i++)
				i += text[i] == '\\';
		else if (text[i] == '[' || text[i] == '{')
			deep++;
		else if (deep && (text[i] == ']' || text[i] == '}'))
			deep--;
	}
	return deep >= CJSON_NESTING_LIMIT;
}

/* What cJSON does not say of the place where it stopped; "" where there is nothing special. */
static const char *explain(const char *text, size_t n, size_t at)
{
	if (is_deep(text, at))
		return ": nested too deep";
	if (n - at >= 4 && text[at] == '\\' && text[at + 1] == 'u' && (text[at + 2] | 0x20) == 'd' &&
		text[at + 3] >= '8')
		return ": half of a surrogate pair";
	return "";
}

struct json *json_parse(const char *text, size_t n, struct err *err)
{
	size_t valid = utf8_valid_prefix(text, n), control = find_control(text, n), length = n, at;
	const char *end = NULL, *wrong;
	char *hidden = NULL;
	cJSON *root;

	if (valid < n) {
		err_set(err, ERR_CORRUPT, "byte %zu is not valid UTF-8", valid);
		return NULL;
	}
	if (control < n) {
		err_set(err, ERR_CORRUPT, "not JSON at byte %zu: a control character", control);
		return NULL;
	}
	if (has_zero(text, n) && !(hidden = hide_zeros(text, &length))) {
		err_set(err, ERR_LIMIT, "out of memory for %zu bytes of JSON", n);
		return NULL;
	}
	if (hidden)
		text = hidden;
	root = cJSON_ParseWithLengthOpts(text, length, &end, false);
	if (!end)
		end = text;
	while (root && end < text + length && strchr(" \t\r\n", *end) && *end)
		end++;
	if (!root || end < text + length) {
		at = (size_t)(end - text);
		if (n)
			err_set(err, ERR_CORRUPT, "not JSON at byte %zu%s", hidden ? unhide(hidden, at) : at,
				explain(text, length, at));
		else
			err_set(err, ERR_CORRUPT, "no JSON: 0 bytes");
		cJSON_Delete(root);
		root = NULL;
	}
	wrong = measure(root, &(struct source){text, text + length});
	if (wrong) {
		err_set(err, ERR_CORRUPT, "not usable JSON: %s", wrong);
		cJSON_Delete(root);
		root = NULL;
	}
	free(hidden);
	return (struct json *)(void *)root;
}

struct json *json_load(const char *path, size_t limit, struct err *err)
{
	struct buf text = BUF_INIT;
	struct json *v = NULL;

	if (file_read(path, limit, &text, err) == 0) {
		v = json_parse(text.data, text.len, err);
		if (!v)
			err_at(err, "%s", path);
	}
	buf_release(&text);
	return v;
}

void json_free(struct json *root)
{
	cJSON_Delete((cJSON *)(void *)root);
}

enum json_kind json_kind(const struct json *v)
{
	const cJSON *n = node(v);

	return !n		   ? JSON_NONE
	       : cJSON_IsNull(n)   ? JSON_NULL
	       : cJSON_IsBool(n)   ? JSON_BOOL
	       : cJSON_IsNumber(n) ? JSON_NUMBER
	       : cJSON_IsString(n) ? JSON_STRING
	       : cJSON_IsArray(n)  ? JSON_ARRAY
	       : cJSON_IsObject(n) ? JSON_OBJECT
				   : JSON_NONE;
}

const struct json *json_first(const struct json *v)
{
	return v ? value(node(v)->child) : NULL;
}

const struct json *json_next(const struct json *v)
{
	return v ? value(node(v)->next) : NULL;
}

size_t json_count(const struct json *v)
{
	size_t n = 0;

	for (v = json_first(v); v; v = json_next(v))
		n++;
	return n;
}

const char *json_key(const struct json *v)
{
	return v ? node(v)->string : NULL;
}

const struct json *json_get(const struct json *object, const char *key)
{
	const struct json *v = json_kind(object) == JSON_OBJECT ? json_first(object) : NULL;

	while (v && strcmp(json_key(v), key))
		v = json_next(v);
	return v;
}

const char *json_string(const struct json *v, size_t *n)
{
	if (json_kind(v) != JSON_STRING)
		return NULL;
	if (n)
		*n = (size_t)node(v)->valuedouble;
	return node(v)->valuestring;
}

const char *json_text(const struct json *v)
{
	return json_string(v, NULL);
}

bool json_number(const struct json *v, double *out)
{
	if (json_kind(v) != JSON_NUMBER)
		return false;
	*out = node(v)->valuedouble;
	return true;
}

const char *json_number_text(const struct json *v)
{
	return json_kind(v) == JSON_NUMBER ? node(v)->valuestring : NULL;
}

bool json_int(const struct json *v, int64_t *out)
{
	double x;

	if (!json_number(v, &x) || !(fabs(x) <= 0x1p53) || x != floor(x))
		return false;
	*out = (int64_t)x;
	return true;
}

bool json_bool(const struct json *v, bool *out)
{
	if (json_kind(v) != JSON_BOOL)
		return false;
	*out = cJSON_IsTrue(node(v));
	return true;
}

/* The first byte from i on that is not written as it is; n where there is none. */
static size_t find_escaped(const char *s, size_t i, size_t n)
{
	uint64_t eight;

	for (; n - i >= 8; i += 8) {
		memcpy(&eight, s + i, 8);
		if (bytes_below(eight, 0x20) || bytes_below(eight ^ EACH * '"', 1) ||
			bytes_below(eight ^ EACH * '\\', 1))
			break;
	}
	while (i < n && (unsigned char)s[i] >= 0x20 && s[i] != '"' && s[i] != '\\')
		i++;
	return i;
}

void json_escape(struct buf *out, const char *s, size_t n)
{
	static const char escapes[] = "\b\f\n\r\t\"\\", letters[] = "bfnrt\"\\";
	const char *e;
	size_t from = 0;

	for (size_t i = find_escaped(s, 0, n); i < n; i = find_escaped(s, i + 1, n)) {
		buf_add(out, s + from, i - from);
		from = i + 1;
		e = s[i] ? memchr(escapes, s[i], sizeof escapes - 1) : NULL;
		if (e)
			buf_add(out, (char[]){'\\', letters[e - escapes]}, 2);
		else
			buf_add_fmt(out, "\\u%04x", (unsigned)s[i]);
	}
	buf_add(out, s + from, n - from);
}

void json_quote(struct buf *out, const char *s, size_t n)
{
	buf_add_char(out, '"');
	json_escape(out, s, n);
	buf_add_char(out, '"');
}

void json_quote_bytes(struct buf *out, const char *s, size_t n)
{
	size_t valid;

	buf_add_char(out, '"');
	for (; (valid = utf8_valid_prefix(s, n)) < n; s += valid + 1, n -= valid + 1) {
		json_escape(out, s, valid);
		buf_add_str(out, "\xef\xbf\xbd");
	}
	json_escape(out, s, n);
	buf_add_char(out, '"');
}

static void put_shortest(struct buf *out, double x, bool single)
{
	char text[40];

	if (!isfinite(x)) {
		buf_add_str(out, "null");
		return;
	}
	for (int digits = 1; digits <= 17; digits++) {
		snprintf(text, sizeof text, "%.*g", digits, x);
		if (single ? strtof(text, NULL) == (float)x : strtod(text, NULL) == x)
			break;
	}
	if (x == floor(x) && fabs(x) < 0x1p53)
		snprintf(text, sizeof text, "%.0f", x);
	buf_add_str(out, text);
}

void json_put_number(struct buf *out, double x)
{
	put_shortest(out, x, false);
}

void json_put_float(struct buf *out, float x)
{
	put_shortest(out, (double)x, true);
}

void json_write(struct buf *out, const struct json *v)
{
	enum json_kind kind = json_kind(v);
	size_t n = 0;
	const char *s = json_string(v, &n);
	double x;
	bool yes, first = true;

	if (s) {
		json_quote(out, s, n);
	} else if (json_number_text(v)) {
		buf_add_str(out, json_number_text(v));
	} else if (json_number(v, &x)) {
		json_put_number(out, x);
	} else if (json_bool(v, &yes)) {
		buf_add_str(out, yes ? "true" : "false");
	} else if (kind != JSON_ARRAY && kind != JSON_OBJECT) {
		buf_add_str(out, "null");
	} else {
		buf_add_char(out, kind == JSON_ARRAY ? '[' : '{');
		for (v = json_first(v); v; v = json_next(v)) {
			if (!first)
				buf_add_char(out, ',');
			first = false;
			if (kind == JSON_OBJECT) {
				json_quote(out, json_key(v), strlen(json_key(v)));
				buf_add_char(out, ':');
			}
			json_write(out, v);
		}
		buf_add_char(out, kind == JSON_ARRAY ? ']' : '}');
	}
}
