#include "cmd/cmd_judgecache.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "cmd/cmd.h"
#include "io/file.h"
#include "io/json.h"
#include "io/lines.h"

static int keep(struct judgecache *c, const char *key, double share, struct err *err)
{
	int i = names_add(&c->keys, key, strlen(key), err);

	if (i < 0 || mem_grow(&c->share, &c->cap, (size_t)i + 1, sizeof *c->share, err))
		return -1;
	c->share[i] = share;
	return 0;
}

/* A line; one that is not whole is nothing. */
static int take_line(struct judgecache *c, const struct lines_record *r, struct err *err)
{
	struct err broken = ERR_INIT;
	struct json *row = json_parse(r->text, r->len, &broken);
	const char *key = json_text(json_get(row, "key"));
	double share;
	int rc = 0;

	if (key && json_number(json_get(row, "a"), &share) && share >= 0 && share <= 1)
		rc = keep(c, key, share, err);
	else
		cmd_say("%s: line %llu is no verdict: passed over", c->path,
			(unsigned long long)r->line);
	json_free(row);
	return rc;
}

static int read_all(struct judgecache *c, struct err *err)
{
	struct lines *in = lines_open(c->path, LINES_MAX_RECORD, NULL, err);
	struct lines_record r;
	int rc = in ? 1 : -1;

	while (rc == 1 && (rc = lines_next(in, &r, err)) == 1)
		if (take_line(c, &r, err))
			rc = -1;
	lines_close(in);
	return rc;
}

/* What is appended next must not continue a line that was cut. */
static int mend(struct judgecache *c, struct err *err)
{
	struct stat s;
	char last;

	if (fstat(c->fd, &s))
		return err_sys(err, "%s", c->path);
	if (!s.st_size)
		return 0;
	if (pread(c->fd, &last, 1, s.st_size - 1) != 1)
		return err_sys(err, "%s", c->path);
	return last == '\n' ? 0 : fd_write(c->fd, "\n", 1, err);
}

int judgecache_open(struct judgecache *c, const char *path, struct err *err)
{
	*c = (struct judgecache){.path = path};
	c->fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
	if (c->fd < 0)
		return err_sys(err, "%s", path);
	return read_all(c, err) || mend(c, err) ? -1 : 0;
}

void judgecache_close(struct judgecache *c)
{
	names_release(&c->keys);
	free(c->share);
	if (c->fd >= 0)
		close(c->fd);
	*c = (struct judgecache){.fd = -1};
}

bool judgecache_find(const struct judgecache *c, const char *key, double *share)
{
	int i = names_find(&c->keys, key, strlen(key));

	if (i >= 0)
		*share = c->share[i];
	return i >= 0;
}

int judgecache_add(struct judgecache *c, const char *key, double share, struct err *err)
{
	struct buf line = BUF_INIT;
	int rc;

	buf_add_fmt(&line, "{\"key\":\"%s\",\"a\":", key);
	json_put_number(&line, share);
	buf_add_str(&line, "}\n");
	rc = buf_check(&line, err) || fd_write(c->fd, line.data, line.len, err) ? -1 : 0;
	buf_release(&line);
	if (rc)
		return err_at(err, "%s", c->path);
	return keep(c, key, share, err);
}
