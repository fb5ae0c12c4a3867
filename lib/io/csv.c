#include "io/csv.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "io/json.h"

char csv_separator(const char *line, size_t n)
{
	size_t i = 0;

	if (!n || line[0] == '{' || line[0] == '[')
		return 0;
	if (line[0] == '"') {
		for (i = 1; i < n && (line[i] != '"' || (i + 1 < n && line[i + 1] == '"')); i++)
			i += line[i] == '"';
		i++;
	} else {
		while (i < n && line[i] != ',' && line[i] != '\t')
			i++;
	}
	return i < n && (line[i] == ',' || line[i] == '\t') ? line[i] : 0;
}

size_t csv_row_end(const char *s, size_t n, size_t *scanned, bool *quoted)
{
	for (; *scanned < n; ++*scanned) {
		if (s[*scanned] == '"')
			*quoted = !*quoted;
		else if (s[*scanned] == '\n' && !*quoted)
			return *scanned + 1;
	}
	return 0;
}

static size_t without_break(const char *row, size_t n)
{
	n -= n && row[n - 1] == '\n';
	return n - (n && row[n - 1] == '\r');
}

/* The field at *s into text; *s goes behind its separator, past end after the last. */
static int take_field(const struct csv *c, const char **s, const char *end, struct buf *text, struct err *err)
{
	const char *p = *s, *q;

	buf_clear(text);
	buf_add_str(text, "");
	if (p < end && *p == '"') {
		for (p++;; p = q + 1) {
			q = memchr(p, '"', (size_t)(end - p));
			if (!q)
				return err_set(err, ERR_CORRUPT, "a quote is not closed");
			buf_add(text, p, (size_t)(q - p));
			if (q + 1 == end || q[1] != '"')
				break;
			buf_add_char(text, '"');
			q++;
		}
		p = q + 1;
		if (p < end && *p != c->separator)
			return err_set(err, ERR_CORRUPT, "text behind a closing quote");
	} else {
		q = memchr(p, c->separator, (size_t)(end - p));
		q = q ? q : end;
		buf_add(text, p, (size_t)(q - p));
		p = q;
	}
	*s = p + 1;
	return buf_check(text, err);
}

int csv_head(struct csv *c, char separator, const char *row, size_t n, struct err *err)
{
	const char *s = row, *end = row + without_break(row, n);
	struct buf text = BUF_INIT;
	size_t cap = 0;
	int rc = 0;

	c->separator = separator;
	while (rc == 0 && s <= end) {
		rc = take_field(c, &s, end, &text, err) || mem_grow(&c->names, &cap, c->n + 1, sizeof *c->names, err)
			     ? -1
			     : 0;
		if (rc)
			break;
		if (memchr(text.data, '\r', text.len)) {
			rc = err_set(err, ERR_CORRUPT, "a carriage return that no line feed follows, in the head");
			break;
		}
		c->names[c->n] = (struct buf)BUF_INIT;
		json_quote(&c->names[c->n++], text.data, text.len);
		rc = buf_check(&c->names[c->n - 1], err);
		for (size_t i = 0; rc == 0 && i + 1 < c->n; i++)
			if (!strcmp(c->names[i].data, c->names[c->n - 1].data))
				rc = err_set(err, ERR_CORRUPT, "two columns are named %.60s", c->names[i].data);
	}
	buf_release(&text);
	return rc;
}

void csv_release(struct csv *c)
{
	for (size_t i = 0; i < c->n; i++)
		buf_release(&c->names[i]);
	free(c->names);
	*c = (struct csv)CSV_INIT;
}

int csv_row(const struct csv *c, const char *row, size_t n, struct buf *out, struct err *err)
{
	const char *s = row, *end = row + without_break(row, n);
	struct buf text = BUF_INIT;
	size_t i = 0;
	int rc = 0;

	for (; rc == 0 && i < c->n && s <= end; i++) {
		rc = take_field(c, &s, end, &text, err);
		buf_add_char(out, i ? ',' : '{');
		buf_add(out, c->names[i].data, c->names[i].len);
		buf_add_char(out, ':');
		json_quote(out, text.data, text.len);
	}
	if (rc == 0 && (i < c->n || s <= end))
		rc = err_set(err, ERR_CORRUPT, "%s fields than the %zu columns", i < c->n ? "fewer" : "more", c->n);
	buf_add_char(out, '}');
	buf_release(&text);
	return rc ? -1 : buf_check(out, err);
}
