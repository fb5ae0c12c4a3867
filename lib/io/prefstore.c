#include "io/prefstore.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/file.h"
#include "io/tshop.h"

#define CACHED 64 /* blocks, of 1 MiB as a rule */

struct place {
	uint64_t first; /* record, over all files */
	uint64_t offset;
	int file;
};

struct cached {
	size_t place; /* which block; meaningless while payload is NULL */
	uint64_t used;
	uint8_t *payload;
	struct pref_block block;
};

struct prefstore {
	int *fds;
	char **names; /* for errors */
	int nfiles;
	uint64_t max_payload;
	struct place *places; /* ended by one past the last */
	size_t nplaces, cap;
	uint64_t records, clock;
	struct tsgrammar first; /* the first file's */
	struct pref_schema schema;
	struct cached cache[CACHED];
};

/* A copy of what fd gives, in a file without name, beside the path spool. */
static int spool_copy(int fd, const char *spool, struct err *err)
{
	char *folder = path_parent(spool, err);
	char *name = folder ? path_join(folder, "spool.XXXXXX", err) : NULL, buffer[1 << 16];
	int out = name ? mkostemp(name, O_CLOEXEC) : -1, rc = 0;
	size_t got = 1;

	if (name && out < 0)
		err_sys(err, "%s: cannot create a file to spool the stream", folder);
	else if (name)
		unlink(name);
	while (out >= 0 && rc == 0 && got)
		rc = fd_read(fd, buffer, sizeof buffer, &got, err) || fd_write(out, buffer, got, err);
	if (out >= 0 && rc) {
		close(out);
		out = -1;
		err_at(err, "spooling the stream in %s", folder);
	}
	free(folder);
	free(name);
	return out;
}

/* Hops over file f and lists its blocks. */
static int index_file(struct prefstore *s, int f, struct err *err)
{
	const struct tshop_member *m;
	struct tshop *h;
	char path[40];
	int rc;

	snprintf(path, sizeof path, "/dev/fd/%d", s->fds[f]);
	h = tshop_open(path, s->max_payload, err);
	if (!h)
		return err_at(err, "%s", s->names[f]);
	while ((rc = tshop_next(h, &m, err)) == 1) {
		if (m->member.kind != MEMBER_BLOCK || !m->member.nrec)
			continue;
		if (mem_grow(&s->places, &s->cap, s->nplaces + 2, sizeof *s->places, err)) {
			rc = -1;
			break;
		}
		s->places[s->nplaces++] = (struct place){s->records, m->offset, f};
		s->records += m->member.nrec;
	}
	if (rc == 0)
		rc = tsgrammar_join(&s->first, tshop_grammar(h), err);
	tshop_close(h);
	return rc ? err_at(err, "%s", s->names[f]) : 0;
}

static int open_file(struct prefstore *s, const char *path, const char *spool, struct err *err)
{
	struct stat st;
	int fd = file_open(path, err), copy;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		copy = spool_copy(fd, spool, err);
		close(fd);
		fd = copy;
	}
	if (fd < 0)
		return -1;
	s->fds[s->nfiles++] = fd;
	s->names[s->nfiles - 1] = mem_copy(path, strlen(path), err);
	return s->names[s->nfiles - 1] ? index_file(s, s->nfiles - 1, err) : -1;
}

struct prefstore *prefstore_open(
	char *const *paths, int n, const char *spool, uint64_t max_payload, struct err *err)
{
	struct prefstore *s = mem_new(1, sizeof *s, err);
	int rc = 0;

	if (!s)
		return NULL;
	s->max_payload = max_payload ? max_payload : MEMBER_MAX_PAYLOAD;
	s->fds = mem_new((size_t)n + 1, sizeof *s->fds, err);
	s->names = mem_new((size_t)n + 1, sizeof *s->names, err);
	if (!s->fds || !s->names)
		rc = -1;
	for (int i = 0; rc == 0 && i < (n ? n : 1); i++)
		rc = open_file(s, n ? paths[i] : "-", spool, err);
	if (rc == 0)
		rc = mem_grow(&s->places, &s->cap, s->nplaces + 1, sizeof *s->places, err) ||
			pref_schema_get(&s->schema, &s->first.head, err);
	if (rc) {
		prefstore_close(s);
		return NULL;
	}
	s->places[s->nplaces].first = s->records;
	return s;
}

uint64_t prefstore_records(const struct prefstore *s)
{
	return s->records;
}

const struct meta *prefstore_meta(const struct prefstore *s)
{
	return &s->first.head;
}

const struct pref_schema *prefstore_schema(const struct prefstore *s)
{
	return &s->schema;
}

const char *prefstore_head_sha256(const struct prefstore *s)
{
	return s->first.head_sha256;
}

const struct tstotals *prefstore_totals(const struct prefstore *s)
{
	return &s->first.totals;
}

static int read_at(int fd, uint64_t offset, void *p, size_t n, struct err *err)
{
	ssize_t r;

	for (size_t done = 0; done < n; done += (size_t)r) {
		r = pread(fd, (char *)p + done, n - done, (off_t)(offset + done));
		if (r == 0)
			return err_set(err, ERR_CORRUPT, "the file became shorter while it was read");
		if (r < 0 && errno == EINTR)
			r = 0;
		else if (r < 0)
			return err_sys(err, "cannot read");
	}
	return 0;
}

static int load_block(const struct prefstore *s, struct cached *c, const struct place *p, struct err *err)
{
	struct safetensors doc = SAFETENSORS_INIT;
	uint8_t head[MEMBER_HEAD], *rest = NULL;
	struct member m;
	int fd = s->fds[p->file], rc;

	rc = read_at(fd, p->offset, head, sizeof head, err) || member_parse(&m, head, s->max_payload, err);
	if (rc == 0 && (!(rest = mem_new_aligned(m.csize - MEMBER_HEAD, 1, err)) ||
			       !(c->payload = mem_new_aligned(m.usize, 1, err))))
		rc = -1;
	rc = rc || read_at(fd, p->offset + MEMBER_HEAD, rest, m.csize - MEMBER_HEAD, err) ||
		member_decode(&m, rest, c->payload, err) ||
		safetensors_parse(&doc, c->payload, m.usize, SAFETENSORS_STRICT, err) ||
		pref_block_open(&c->block, &s->schema, &doc, c->payload, m.nrec, err);
	safetensors_release(&doc);
	free(rest);
	return rc ? err_at(err, "%s: block at byte %llu", s->names[p->file], (unsigned long long)p->offset) : 0;
}

static void drop(struct cached *c)
{
	pref_block_release(&c->block);
	free(c->payload);
	c->payload = NULL;
}

int prefstore_get(struct prefstore *s, uint64_t i, struct pref_rec *rec, struct err *err)
{
	struct cached *c = NULL;
	size_t from = 0, to = s->nplaces, mid;

	while (to - from > 1) {
		mid = from + (to - from) / 2;
		if (i < s->places[mid].first)
			to = mid;
		else
			from = mid;
	}
	for (int k = 0; k < CACHED && !c; k++)
		if (s->cache[k].payload && s->cache[k].place == from)
			c = &s->cache[k];
	if (!c) {
		c = &s->cache[0];
		for (int k = 1; k < CACHED; k++)
			if (s->cache[k].used < c->used)
				c = &s->cache[k];
		drop(c);
		c->place = from;
		if (load_block(s, c, &s->places[from], err)) {
			drop(c);
			return -1;
		}
	}
	c->used = ++s->clock;
	pref_block_get(&c->block, (uint32_t)(i - s->places[from].first), rec);
	return 0;
}

void prefstore_close(struct prefstore *s)
{
	if (!s)
		return;
	for (int k = 0; k < CACHED; k++)
		drop(&s->cache[k]);
	for (int f = 0; f < s->nfiles; f++) {
		close(s->fds[f]);
		free(s->names[f]);
	}
	tsgrammar_release(&s->first);
	free(s->fds);
	free(s->names);
	free(s->places);
	free(s);
}
