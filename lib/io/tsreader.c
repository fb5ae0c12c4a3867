#include "io/tsreader.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sha256.h"
#include "io/conveyor.h"
#include "io/file.h"

/* A member on its way from the reading thread over the inflating ones to the caller. */
struct job {
	struct tsblock block;
	uint8_t *rest;	/* what follows the header */
	bool eof;	/* the end of a file instead of a member */
	struct err err; /* code 0: fine */
};

struct tsreader {
	char *const *paths;
	int npaths;
	uint64_t max_payload;
	struct conveyor *belt;
	pthread_t feeder;
	bool feeding;
	int wake[2]; /* a pipe: closing its writing end wakes the feeder from a read that may never end */
	struct job *current;
	int files;	   /* of the paths, read to their ends */
	uint64_t segments; /* in those */
	struct tsgrammar grammar;
	struct sha256 payloads; /* of this segment */
	uint64_t tokens, bytes; /* of this segment; of all members */
	struct err err;		/* what tsreader_next() fails with from now on */
};

static void job_free(struct job *j)
{
	if (!j)
		return;
	safetensors_release(&j->block.doc);
	free(j->block.payload);
	free(j->rest);
	free(j);
}

static int place(struct job *j, struct err *err)
{
	return err_at(err, "%s: member at byte %llu",
		strcmp(j->block.path, "-") ? j->block.path : "stdin",
		(unsigned long long)j->block.offset);
}

/* In the order of distrust: nothing is allocated for a body that is not what was written. */
static int decode_member(struct tsblock *b, const uint8_t *rest, struct err *err)
{
	const struct member *m = &b->member;

	if (member_check_body(m, rest, err))
		return -1;
	b->payload = mem_new_aligned(m->usize, 1, err);
	if (!b->payload || member_inflate(m, rest, b->payload, err))
		return -1;
	return member_ancillary(m)
		       ? 0
		       : safetensors_parse(&b->doc, b->payload, m->usize, SAFETENSORS_STRICT, err);
}

static void decode(void *arg)
{
	struct job *j = arg;

	if (j->err.code || j->eof)
		return;
	if (decode_member(&j->block, j->rest, &j->err))
		place(j, &j->err);
	free(j->rest);
	j->rest = NULL;
}

/* As fd_read, but fails when the reader is closed meanwhile. */
static int read_awake(
	const struct tsreader *r, int fd, void *p, size_t n, size_t *got, struct err *err)
{
	struct pollfd ready[2] = {
		{.fd = fd, .events = POLLIN}, {.fd = r->wake[0], .events = POLLIN}};
	ssize_t k;

	for (*got = 0; *got < n; *got += (size_t)k) {
		k = 0;
		if (poll(ready, 2, -1) < 0) {
			if (errno != EINTR)
				return err_sys(err, "cannot wait for input");
			continue;
		}
		if (ready[1].revents)
			return err_set(err, ERR_FAILED, "closed");
		if (!ready[0].revents)
			continue;
		k = read(fd, (char *)p + *got, n - *got);
		if (k == 0)
			break;
		if (k < 0 && errno != EINTR && errno != EAGAIN)
			return err_sys(err, "cannot read");
		if (k < 0)
			k = 0;
	}
	return 0;
}

/* Reads one member: 1, 0 at the end of the file, -1 with j->err set. */
static int read_member(const struct tsreader *r, int fd, struct job *j)
{
	struct member *m = &j->block.member;
	uint8_t head[MEMBER_HEAD];
	size_t got, rest;

	if (read_awake(r, fd, head, sizeof head, &got, &j->err))
		return place(j, &j->err);
	if (got == 0)
		return 0;
	if (got < sizeof head) {
		err_set(&j->err, ERR_CORRUPT, "truncated: %zu bytes of a member header", got);
		return place(j, &j->err);
	}
	if (member_parse(m, head, r->max_payload, &j->err))
		return place(j, &j->err);
	rest = m->csize - MEMBER_HEAD;
	j->rest = mem_new_aligned(rest, 1, &j->err);
	if (!j->rest || read_awake(r, fd, j->rest, rest, &got, &j->err))
		return place(j, &j->err);
	if (got < rest) {
		err_set(&j->err, ERR_CORRUPT, "truncated: %zu of the member's %llu bytes",
			got + MEMBER_HEAD, (unsigned long long)m->csize);
		return place(j, &j->err);
	}
	return 1;
}

/* Puts the members of one file on the belt; false when there is no use in going on. */
static bool feed_file(struct tsreader *r, const char *path)
{
	struct err err = ERR_INIT, nomem = ERR_INIT;
	uint64_t offset = 0;
	struct job *j;
	int fd = file_open_poll(path, &err), rc = 1;

	while (rc == 1) {
		j = mem_new(1, sizeof *j, &nomem);
		if (!j)
			break;
		j->block.path = path;
		j->block.offset = offset;
		j->err = err;
		rc = fd < 0 ? -1 : read_member(r, fd, j);
		j->eof = rc == 0;
		offset += j->block.member.csize;
		if (!conveyor_put(r->belt, j)) {
			job_free(j);
			rc = -1;
		}
	}
	if (fd >= 0)
		close(fd);
	return rc == 0;
}

static void *feed(void *arg)
{
	struct tsreader *r = arg;

	for (int i = 0; i < r->npaths; i++)
		if (!feed_file(r, r->paths[i]))
			break;
	conveyor_end(r->belt);
	return NULL;
}

static int take_end(struct tsreader *r, const struct tsblock *b, struct err *err)
{
	struct tsgrammar_seen seen = {.tokens = r->tokens};
	uint8_t digest[32];

	sha256_finish(&r->payloads, digest);
	sha256_hex(digest, seen.payload_sha256);
	return tsgrammar_end(&r->grammar, &b->member, &b->doc, &seen, err);
}

/* One decoded member into grammar and digest. */
static int take_member(struct tsreader *r, const struct tsblock *b, struct err *err)
{
	const struct member *m = &b->member;
	const struct safetensor *tokens;

	if (tsgrammar_order(&r->grammar, m, err))
		return -1;
	if (m->kind == MEMBER_HEADER) {
		sha256_init(&r->payloads);
		r->tokens = 0;
		if (tsgrammar_head(&r->grammar, &b->doc, b->payload, m->usize, err))
			return -1;
	}
	if (m->kind == MEMBER_END && take_end(r, b, err))
		return -1;
	tokens = m->kind == MEMBER_BLOCK ? safetensors_find(&b->doc, "tokens") : NULL;
	if (tokens)
		r->tokens += safetensor_count(tokens);
	sha256_add(&r->payloads, b->payload, m->usize);
	tsgrammar_step(&r->grammar, m);
	r->bytes += m->csize;
	return 0;
}

/* Every file must hold whole segments, and one at least. */
static int end_file(struct tsreader *r, const char *path, struct err *err)
{
	int rc = 0;

	if (r->grammar.segments == r->segments)
		rc = err_set(err, ERR_CORRUPT, "no tensor stream: 0 bytes");
	if (rc || tsgrammar_finish(&r->grammar, err))
		return err_at(err, "%s", strcmp(path, "-") ? path : "stdin");
	r->segments = r->grammar.segments;
	r->files++;
	return 0;
}

/* The next member that is no ancillary one: 1, 0 at the end of all input, -1. */
static int take_next(struct tsreader *r, struct err *err)
{
	struct job *j;

	while (r->files < r->npaths) {
		job_free(r->current);
		j = r->current = conveyor_take(r->belt);
		if (!j)
			return err_set(err, ERR_LIMIT, "out of memory for a member of the stream");
		if (j->err.code) {
			*err = j->err;
			return -1;
		}
		if (j->eof && end_file(r, j->block.path, err))
			return -1;
		if (j->eof)
			continue;
		if (take_member(r, &j->block, err))
			return place(j, err);
		if (!member_ancillary(&j->block.member))
			return 1;
	}
	return 0;
}

/* As take_next(); once failed, always failed. */
static int next_member(struct tsreader *r, struct err *err)
{
	int rc = r->err.code ? -1 : take_next(r, &r->err);

	if (rc < 0)
		*err = r->err;
	return rc;
}

static char dash[] = "-", *const standard_input[] = {dash};

struct tsreader *tsreader_open(
	char *const *paths, int n, const struct tsreader_options *options, struct err *err)
{
	struct tsreader *r = mem_new(1, sizeof *r, err);
	int threads = options->threads;

	if (!r)
		return NULL;
	r->paths = n ? paths : standard_input;
	r->npaths = n ? n : 1;
	r->max_payload = options->max_payload ? options->max_payload : MEMBER_MAX_PAYLOAD;
	r->wake[0] = r->wake[1] = -1;
	r->belt = conveyor_new(threads, 2 * threads + 2, decode, err);
	if (r->belt && pipe2(r->wake, O_CLOEXEC)) {
		err_sys(err, "cannot make a pipe");
	} else if (r->belt) {
		r->feeding = pthread_create(&r->feeder, NULL, feed, r) == 0;
		if (!r->feeding)
			err_set(err, ERR_FAILED, "cannot start a thread that reads");
	}
	if (!r->feeding || next_member(r, err) < 0) {
		tsreader_close(r);
		return NULL;
	}
	return r;
}

const struct meta *tsreader_meta(const struct tsreader *r)
{
	return &r->grammar.head;
}

const char *tsreader_head_sha256(const struct tsreader *r)
{
	return r->grammar.head_sha256;
}

int tsreader_next(struct tsreader *r, struct tsblock **block, struct err *err)
{
	int rc;

	while ((rc = next_member(r, err)) == 1)
		if (r->current->block.member.kind == MEMBER_BLOCK) {
			*block = &r->current->block;
			return 1;
		}
	return rc;
}

const struct tstotals *tsreader_totals(const struct tsreader *r)
{
	return &r->grammar.totals;
}

uint64_t tsreader_segments(const struct tsreader *r)
{
	return r->grammar.segments;
}

uint64_t tsreader_bytes(const struct tsreader *r)
{
	return r->bytes;
}

void tsreader_close(struct tsreader *r)
{
	struct job *j;

	if (!r)
		return;
	if (r->wake[1] >= 0)
		close(r->wake[1]);
	if (r->feeding) {
		conveyor_cancel(r->belt);
		while ((j = conveyor_take(r->belt)))
			job_free(j);
		pthread_join(r->feeder, NULL);
		while ((j = conveyor_take(r->belt)))
			job_free(j);
	}
	if (r->wake[0] >= 0)
		close(r->wake[0]);
	conveyor_free(r->belt);
	job_free(r->current);
	tsgrammar_release(&r->grammar);
	free(r);
}
