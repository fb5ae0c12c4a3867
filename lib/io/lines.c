#include "io/lines.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "io/csv.h"
#include "io/zip.h"

#define CHUNK ((size_t)256 << 10)

enum place { START, LINES, TABLE, FIRST_ELEMENT, NEXT_ELEMENT, DONE };

struct lines {
	struct zipfile *file;
	const char *path;
	size_t limit;
	struct sha256 *digest;
	char *data;
	size_t at, end, cap; /* what is not handed out yet: data[at] to data[end] */
	bool eof, blank; /* blank: nothing but white space */
	uint64_t line;	 /* of data[at] */
	uint64_t elements;
	enum place place;
	struct buf open; /* the brackets around the place in an element that is being scanned */
	struct csv csv;
	struct buf row; /* of a table, as JSON */
};

struct lines *lines_open(const char *path, size_t limit, struct sha256 *digest, struct err *err)
{
	struct lines *l = mem_new(1, sizeof *l, err);

	if (!l)
		return NULL;
	*l = (struct lines){.path = path, .limit = limit, .digest = digest, .line = 1};
	l->file = zipfile_open(path, err);
	if (!l->file) {
		lines_close(l);
		return NULL;
	}
	return l;
}

void lines_close(struct lines *l)
{
	if (!l)
		return;
	zipfile_close(l->file);
	buf_release(&l->open);
	buf_release(&l->row);
	csv_release(&l->csv);
	free(l->data);
	free(l);
}

static int fail(const struct lines *l, struct err *err)
{
	const char *name = strcmp(l->path, "-") ? l->path : "stdin";

	return err_at(err, "%s:%llu", name, (unsigned long long)l->line);
}

static int corrupt(const struct lines *l, struct err *err, const char *what)
{
	err_set(err, ERR_CORRUPT, "%s", what);
	return fail(l, err);
}

/* Reads on behind data[end]; data[at] may move to data[0]. */
static int fill(struct lines *l, struct err *err)
{
	size_t got;

	if (l->end - l->at > l->limit) {
		err_set(err, ERR_LIMIT, "a record of more than %zu bytes", l->limit);
		return fail(l, err);
	}
	if (l->at)
		memmove(l->data, l->data + l->at, l->end - l->at);
	l->end -= l->at;
	l->at = 0;
	if (mem_grow(&l->data, &l->cap, l->end + CHUNK, 1, err) ||
		zipfile_read(l->file, l->data + l->end, CHUNK, &got, err))
		return fail(l, err);
	if (l->digest)
		sha256_add(l->digest, l->data + l->end, got);
	l->end += got;
	l->eof = got < CHUNK;
	return 0;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Past white space, or line breaks alone. 1, 0 if the file ends there, -1. */
static int skip(struct lines *l, bool breaks, struct err *err)
{
	for (;;) {
		for (; l->at < l->end && is_space(l->data[l->at]); l->at++) {
			if (breaks && (l->data[l->at] == ' ' || l->data[l->at] == '\t'))
				return 1;
			l->line += l->data[l->at] == '\n';
		}
		if (l->at < l->end)
			return 1;
		if (l->eof)
			return 0;
		if (fill(l, err))
			return -1;
	}
}

static int skip_space(struct lines *l, struct err *err)
{
	return skip(l, false, err);
}

static void set_record(struct lines_record *r, const char *text, size_t len, uint64_t line)
{
	while (len && is_space(text[len - 1]))
		len--;
	*r = (struct lines_record){.text = text, .len = len, .line = line};
}

static int check_size(const struct lines *l, size_t n, struct err *err)
{
	if (n <= l->limit)
		return 0;
	err_set(err, ERR_LIMIT, "a record of %zu bytes; the limit is %zu", n, l->limit);
	return fail(l, err);
}

/* ---- JSON Lines */

/* Reads to the end of the line at data[at]; *n: its bytes, without the line break. */
static int find_line(struct lines *l, size_t *n, struct err *err)
{
	size_t seen = 0, have;
	const char *newline;

	for (;;) {
		have = l->end - l->at;
		newline = have > seen ? memchr(l->data + l->at + seen, '\n', have - seen) : NULL;
		if (newline || l->eof)
			break;
		seen = have;
		if (fill(l, err))
			return -1;
	}
	*n = newline ? (size_t)(newline - l->data) - l->at : have;
	return check_size(l, *n, err);
}

/* Past the n bytes of a line, and its line break. */
static void pass_line(struct lines *l, size_t n)
{
	l->at += n;
	if (l->at < l->end) {
		l->line++;
		l->at++;
	}
}

/* The record at data[at], which is not white space, up to the end of its line. */
static int take_line(struct lines *l, struct lines_record *r, struct err *err)
{
	size_t n;

	if (find_line(l, &n, err))
		return -1;
	set_record(r, l->data + l->at, n, l->line);
	pass_line(l, n);
	return 1;
}

int lines_next_plain(struct lines *l, struct lines_record *r, struct err *err)
{
	size_t n;

	if (find_line(l, &n, err))
		return -1;
	if (l->at == l->end)
		return 0;
	*r = (struct lines_record){.text = l->data + l->at, .len = n, .line = l->line};
	if (n && r->text[n - 1] == '\r' && l->at + n < l->end)
		r->len--;
	pass_line(l, n);
	return 1;
}

/* ---- tables */

/* Reads the row at data[at] to its end; *n: its bytes, line break included. */
static int find_row(struct lines *l, size_t *n, struct err *err)
{
	size_t scanned = 0;
	bool quoted = false;

	while (!(*n = csv_row_end(l->data + l->at, l->end - l->at, &scanned, &quoted))) {
		if (l->eof) {
			*n = l->end - l->at;
			break;
		}
		if (fill(l, err))
			return -1;
	}
	return check_size(l, *n, err);
}

static void pass_row(struct lines *l, size_t n)
{
	for (const char *p = l->data + l->at, *end = p + n; p && p < end; l->line += p != NULL, p += p != NULL)
		p = memchr(p, '\n', (size_t)(end - p));
	l->at += n;
}

static int take_row(struct lines *l, struct lines_record *r, struct err *err)
{
	size_t n;

	if (find_row(l, &n, err))
		return -1;
	buf_clear(&l->row);
	if (csv_row(&l->csv, l->data + l->at, n, &l->row, err))
		return fail(l, err);
	set_record(r, l->row.data, l->row.len, l->line);
	pass_row(l, n);
	return 1;
}

/* Is it a table, whose first field is then perhaps empty? Then its head is read. */
static int start_table(struct lines *l, struct err *err)
{
	char separator;
	size_t n;

	if (l->data[l->at] == '{')
		return 0;
	while (l->at && (l->data[l->at - 1] == ' ' || l->data[l->at - 1] == '\t'))
		l->at--;
	if (find_line(l, &n, err))
		return -1;
	separator = csv_separator(l->data + l->at, n);
	if (!separator)
		return 0;
	l->place = TABLE;
	if (find_row(l, &n, err))
		return -1;
	if (csv_head(&l->csv, separator, l->data + l->at, n, err))
		return fail(l, err);
	pass_row(l, n);
	return 0;
}

/* ---- elements of an array */

struct scan {
	size_t n;	/* bytes of the element so far */
	uint64_t lines; /* in them */
	bool string, escape, done;
};

/* One more byte of an element, outside strings. 0 or -1. */
static int scan_byte(struct lines *l, struct scan *s, char c, struct err *err)
{
	struct buf *open = &l->open;

	switch (c) {
	case '\n':
		s->lines++;
		break;
	case '"':
		s->string = true;
		break;
	case '{':
	case '[':
		buf_add_char(open, c);
		return buf_check(open, err);
	case ',':
		s->done = !open->len;
		return 0;
	case '}':
	case ']':
		if (!open->len && c == ']') {
			s->done = true;
			return 0;
		}
		if (!open->len || open->data[open->len - 1] != (c == '}' ? '{' : '['))
			return err_set(err, ERR_CORRUPT, "'%c' does not close what is open", c);
		s->done = --open->len == 0;
		s->n += s->done;
		break;
	}
	return 0;
}

/* The bytes that have been read of the element at data[at], up to its end if that is there. */
static int scan_on(struct lines *l, struct scan *s, struct err *err)
{
	const char *p = l->data + l->at;
	size_t have = l->end - l->at;

	for (; s->n < have && !s->done; s->n += !s->done) {
		char c = p[s->n];

		if (!s->string) {
			if (scan_byte(l, s, c, err))
				return -1;
		} else if (s->escape) {
			s->escape = false;
		} else if (c == '"') {
			s->string = false;
		} else if (c == '\\') {
			s->escape = true;
		} else if (c == '\n') {
			return err_set(err, ERR_CORRUPT, "a line break inside a string");
		}
	}
	return 0;
}

static int take_element(struct lines *l, struct lines_record *r, struct err *err)
{
	struct scan s = {0};
	uint64_t line = l->line;

	buf_clear(&l->open);
	for (;;) {
		if (scan_on(l, &s, err)) {
			l->line += s.lines;
			return fail(l, err);
		}
		if (s.done)
			break;
		if (l->eof)
			return corrupt(l, err, "the file ends inside the element that starts here");
		if (fill(l, err))
			return -1;
	}
	if (check_size(l, s.n, err))
		return -1;
	set_record(r, l->data + l->at, s.n, line);
	r->element = ++l->elements;
	l->at += s.n;
	l->line += s.lines;
	return 1;
}

/* Behind the ']': nothing more may come. */
static int end_array(struct lines *l, struct err *err)
{
	int rc;

	l->at++;
	l->place = DONE;
	rc = skip_space(l, err);
	return rc == 1 ? corrupt(l, err, "more text after the array's end") : rc;
}

static int next_element(struct lines *l, struct lines_record *r, struct err *err)
{
	int rc = skip_space(l, err);

	if (rc == 1 && l->data[l->at] == ']')
		return end_array(l, err);
	if (rc == 1 && l->place == NEXT_ELEMENT) {
		if (l->data[l->at] != ',')
			return corrupt(l, err, "no ',' or ']' after an element of the array");
		l->at++;
		rc = skip_space(l, err);
	}
	if (rc < 0)
		return -1;
	if (rc == 0)
		return corrupt(l, err, "the file ends inside the array");
	if (l->data[l->at] == ',' || l->data[l->at] == ']')
		return corrupt(l, err, "an element of the array is missing");
	l->place = NEXT_ELEMENT;
	return take_element(l, r, err);
}

/* ---- all of them */

static int start(struct lines *l, struct err *err)
{
	int rc;

	if (fill(l, err))
		return -1;
	if (l->end >= 2 && (!memcmp(l->data, "\xff\xfe", 2) || !memcmp(l->data, "\xfe\xff", 2)))
		return corrupt(l, err, "it begins with the byte order mark of UTF-16; it must be UTF-8");
	if (l->end >= 3 && !memcmp(l->data, "\xef\xbb\xbf", 3)) /* a byte order mark */
		l->at = 3;
	rc = skip_space(l, err);
	if (rc < 0)
		return -1;
	l->blank = rc == 0;
	l->place = rc && l->data[l->at] == '[' ? FIRST_ELEMENT : LINES;
	l->at += l->place == FIRST_ELEMENT;
	return rc && l->place == LINES ? start_table(l, err) : 0;
}

bool lines_blank(const struct lines *l)
{
	return l->blank;
}

int lines_next(struct lines *l, struct lines_record *r, struct err *err)
{
	int rc;

	if (l->place == START && start(l, err))
		return -1;
	if (l->place == DONE)
		return 0;
	if (l->place == FIRST_ELEMENT || l->place == NEXT_ELEMENT)
		return next_element(l, r, err);
	rc = skip(l, l->place == TABLE, err);
	return rc < 1 ? rc : l->place == TABLE ? take_row(l, r, err) : take_line(l, r, err);
}
