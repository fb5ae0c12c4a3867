#include "io/tswriter.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/sha256.h"
#include "io/conveyor.h"
#include "io/file.h"

/* A payload on its way from the caller over the deflating threads to the writing one. */
struct job {
	struct member member;
	void *payload;
	size_t n;
	int level;
	struct buf out;
	struct err err;
};

struct tswriter {
	struct outfile file;
	struct conveyor *belt;
	pthread_t drain;
	bool draining;
	int level, threads;
	uint64_t seq, records;
	struct sha256 payloads; /* the draining thread's, until it ended */
	struct err drain_err;	/* likewise */
	bool broken;		/* atomic: drain_err is set */
};

static void job_free(struct job *j)
{
	free(j->payload);
	buf_release(&j->out);
	free(j);
}

static void encode(void *arg)
{
	struct job *j = arg;

	member_encode(&j->member, j->payload, j->n, j->level, &j->out, &j->err);
}

/* Writes what comes off the belt; after a failure only clears it. */
static void *drain(void *arg)
{
	struct tswriter *w = arg;
	struct job *j;
	bool ok = true;

	while ((j = conveyor_take(w->belt))) {
		if (ok && (j->err.code || fd_write(w->file.fd, j->out.data, j->out.len, &j->err))) {
			ok = false;
			w->drain_err = j->err;
			err_at(&w->drain_err, "%s",
				strcmp(w->file.path, "-") ? w->file.path : "stdout");
			__atomic_store_n(&w->broken, true, __ATOMIC_RELEASE);
		}
		if (ok && j->member.kind != MEMBER_END)
			sha256_add(&w->payloads, j->payload, j->n);
		job_free(j);
	}
	return NULL;
}

static int put(struct tswriter *w, enum member_kind kind, void *payload, size_t n, uint32_t nrec,
	struct err *err)
{
	struct job *j = mem_new(1, sizeof *j, err);

	if (!j) {
		free(payload);
		return -1;
	}
	*j = (struct job){
		.member = {.kind = (char)kind, .nrec = nrec, .seq = w->seq++, .first = w->records},
		.payload = payload,
		.n = n,
		.level = kind == MEMBER_END ? MEMBER_STORED : w->level,
	};
	w->records += nrec;
	if (__atomic_load_n(&w->broken, __ATOMIC_ACQUIRE)) {
		*err = w->drain_err;
		job_free(j);
		return -1;
	}
	conveyor_put(w->belt, j);
	return 0;
}

static int put_meta(
	struct tswriter *w, enum member_kind kind, const struct meta *meta, struct err *err)
{
	struct buf b = BUF_INIT;

	if (tsgrammar_encode(&b, kind, meta, err)) {
		buf_release(&b);
		return -1;
	}
	return put(w, kind, b.data, b.len, 0, err);
}

/* A belt, and the thread at its end. */
static int run(struct tswriter *w, int threads, struct err *err)
{
	w->belt = conveyor_new(threads, 2 * threads + 2, encode, err);
	if (!w->belt)
		return -1;
	w->draining = pthread_create(&w->drain, NULL, drain, w) == 0;
	return w->draining ? 0 : err_set(err, ERR_FAILED, "cannot start a thread that writes");
}

static int start(struct tswriter *w, const char *path, const struct meta *meta, struct err *err)
{
	struct meta head = META_INIT;
	int rc;

	if (outfile_open(&w->file, path, err))
		return -1;
	if (isatty(w->file.fd))
		return err_set(err, ERR_USAGE,
			"a tensor stream is not written to a terminal; use -o FILE or a pipe");
	if (run(w, w->threads, err))
		return -1;
	rc = meta_copy(&head, meta, err) || meta_set(&head, "format", "tstream", err) ||
			     meta_set(&head, "version", "1.0", err) ||
			     put_meta(w, MEMBER_HEADER, &head, err)
		     ? -1
		     : 0;
	meta_release(&head);
	return rc;
}

struct tswriter *tswriter_open(const char *path, const struct meta *meta,
	const struct tswriter_options *options, struct err *err)
{
	struct tswriter *w = mem_new(1, sizeof *w, err);

	if (!w)
		return NULL;
	w->level = options->level;
	w->threads = options->threads;
	w->file.fd = -1;
	sha256_init(&w->payloads);
	if (start(w, path, meta, err)) {
		tswriter_close(w);
		return NULL;
	}
	return w;
}

int tswriter_put(struct tswriter *w, void *payload, size_t n, uint32_t nrec, struct err *err)
{
	return put(w, MEMBER_BLOCK, payload, n, nrec, err);
}

/* Lets the belt run empty and its threads end. */
static int stop(struct tswriter *w, struct err *err)
{
	if (w->draining) {
		conveyor_end(w->belt);
		pthread_join(w->drain, NULL);
		w->draining = false;
	}
	conveyor_free(w->belt);
	w->belt = NULL;
	if (!w->broken)
		return 0;
	*err = w->drain_err;
	return -1;
}

int tswriter_finish(struct tswriter *w, const struct tstotals *input, uint64_t tokens,
	uint64_t dropped, uint64_t truncated, const struct meta *extra, struct err *err)
{
	static const struct tstotals none;
	struct meta end = META_INIT;
	uint8_t digest[32];
	char hex[65];
	int rc;

	if (stop(w, err)) /* the digest of all payloads is known only now */
		return -1;
	sha256_finish(&w->payloads, digest);
	sha256_hex(digest, hex);
	rc = (extra && meta_copy(&end, extra, err)) ||
	     (input && *input->payload_sha256 &&
		     meta_set(&end, "input.sha256", input->payload_sha256, err));
	input = input ? input : &none;
	rc = rc || meta_set_int(&end, "records", (int64_t)w->records, err) ||
	     meta_set_int(&end, "members", (int64_t)w->seq - 1, err) ||
	     meta_set_int(&end, "tokens", (int64_t)tokens, err) ||
	     meta_set_int(&end, "dropped", (int64_t)(dropped + input->dropped), err) ||
	     meta_set_int(&end, "truncated", (int64_t)(truncated + input->truncated), err) ||
	     meta_set(&end, "payload.sha256", hex, err) || run(w, 0, err) ||
	     put_meta(w, MEMBER_END, &end, err) || stop(w, err) || outfile_commit(&w->file, err);
	meta_release(&end);
	return rc ? -1 : 0;
}

void tswriter_close(struct tswriter *w)
{
	struct err ignored;

	if (!w)
		return;
	stop(w, &ignored);
	outfile_close(&w->file);
	free(w);
}
