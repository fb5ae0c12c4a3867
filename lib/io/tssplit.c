#include "io/tssplit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "io/file.h"
#include "io/prefcolumns.h"
#include "io/tshop.h"

struct tssplit {
	const char *path;
	uint64_t max_payload;
	struct tshop *hop; /* at its end after tssplit_open(), which is where it got the grammar */
};

/* The parts being written, one after the other. */
struct parts {
	const struct tsgrammar *whole;
	const char *prefix;
	const struct meta *meta;
	int n, at; /* at: the one that is open */
	struct outfile file;
	uint64_t seq, records; /* of it */
	struct buf scratch;
};

struct tssplit *tssplit_open(const char *path, uint64_t max_payload, struct err *err)
{
	struct tssplit *s = mem_new(1, sizeof *s, err);
	const struct tshop_member *m;
	struct stat st;
	int rc = -1;

	if (!s)
		return NULL;
	s->path = path;
	s->max_payload = max_payload;
	if (stat(path, &st))
		err_sys(err, "%s", path);
	else if (!S_ISREG(st.st_mode))
		err_set(err, ERR_FAILED, "%s: not a regular file, which is read twice", path);
	else if ((s->hop = tshop_open(path, max_payload, err)))
		rc = 1;
	while (rc == 1)
		rc = tshop_next(s->hop, &m, err);
	if (rc) {
		tssplit_close(s);
		return NULL;
	}
	return s;
}

const struct tsgrammar *tssplit_grammar(const struct tssplit *s)
{
	return tshop_grammar(s->hop);
}

void tssplit_close(struct tssplit *s)
{
	if (!s)
		return;
	tshop_close(s->hop);
	free(s);
}

/* The first record of part i. */
static uint64_t boundary(const struct parts *p, int i)
{
	uint64_t records = p->whole->totals.records, n = (uint64_t)p->n;

	return records / n * (uint64_t)i + records % n * (uint64_t)i / n;
}

/* Writes the member that is in scratch. */
static int put_scratch(struct parts *p, uint32_t nrec, struct err *err)
{
	p->seq++;
	p->records += nrec;
	return fd_write(p->file.fd, p->scratch.data, p->scratch.len, err)
		       ? err_at(err, "%s", p->file.path)
		       : 0;
}

static int put_payload(struct parts *p, enum member_kind kind, const struct buf *payload,
	uint32_t nrec, struct err *err)
{
	struct member m = {.kind = (char)kind, .nrec = nrec, .seq = p->seq, .first = p->records};

	buf_clear(&p->scratch);
	if (member_encode(&m, payload->data, payload->len, kind == MEMBER_END ? MEMBER_STORED : 1,
		    &p->scratch, err))
		return -1;
	return put_scratch(p, nrec, err);
}

static int put_meta(
	struct parts *p, enum member_kind kind, const struct meta *meta, struct err *err)
{
	struct buf payload = BUF_INIT;
	int rc = tsgrammar_encode(&payload, kind, meta, err) ||
		 put_payload(p, kind, &payload, 0, err);

	buf_release(&payload);
	return rc ? -1 : 0;
}

static int start_part(struct parts *p, struct err *err)
{
	size_t room = strlen(p->prefix) + 24;
	char *path = mem_new(room, 1, err);
	int rc;

	if (!path)
		return -1;
	snprintf(path, room, "%s%04d.tsz", p->prefix, p->at);
	p->seq = p->records = 0;
	rc = outfile_open(&p->file, path, err) || put_meta(p, MEMBER_HEADER, p->meta, err);
	free(path);
	return rc ? -1 : 0;
}

static int finish_part(struct parts *p, struct err *err)
{
	const struct tstotals *t = &p->whole->totals;
	struct meta end = META_INIT;
	int rc;

	rc = meta_set_int(&end, "records", (int64_t)p->records, err) ||
	     meta_set_int(&end, "members", (int64_t)p->seq - 1, err) ||
	     meta_set_int(&end, "dropped", p->at ? 0 : (int64_t)t->dropped, err) ||
	     meta_set_int(&end, "truncated", p->at ? 0 : (int64_t)t->truncated, err) ||
	     (*t->payload_sha256 && meta_set(&end, "input.sha256", t->payload_sha256, err)) ||
	     put_meta(p, MEMBER_END, &end, err) || outfile_commit(&p->file, err);
	meta_release(&end);
	outfile_close(&p->file);
	return rc ? -1 : 0;
}

static int next_part(struct parts *p, struct err *err)
{
	if (finish_part(p, err))
		return -1;
	p->at++;
	return start_part(p, err);
}

/* The block as it is, but for its place. */
static int copy_block(
	struct parts *p, const struct member *m, const struct buf *body, struct err *err)
{
	struct member renumbered = *m;
	uint8_t head[MEMBER_HEAD];

	if (member_check_body(m, (const uint8_t *)body->data, err))
		return -1;
	renumbered.seq = p->seq;
	renumbered.first = p->records;
	member_put_head(&renumbered, head);
	buf_clear(&p->scratch);
	buf_add(&p->scratch, head, sizeof head);
	buf_add(&p->scratch, body->data, body->len);
	return buf_check(&p->scratch, err) ? -1 : put_scratch(p, m->nrec, err);
}

/* Records from to to of the block, written anew. */
static int put_records(
	struct parts *p, const struct pref_block *b, uint32_t from, uint32_t to, struct err *err)
{
	struct buf payload = BUF_INIT;
	struct prefcolumns c;
	struct pref_rec r;
	int rc;

	prefcolumns_init(&c, b->schema);
	for (uint32_t i = from; i < to; i++) {
		pref_block_get(b, i, &r);
		prefcolumns_add(&c, &r);
	}
	rc = prefcolumns_encode(&c, &payload, err) ||
	     put_payload(p, MEMBER_BLOCK, &payload, to - from, err);
	prefcolumns_release(&c);
	buf_release(&payload);
	return rc ? -1 : 0;
}

/* The block, whose first record is number first of the file, goes to two parts or more. */
static int cut_block(struct parts *p, const struct member *m, const struct buf *body,
	uint64_t first, struct err *err)
{
	struct safetensors doc = SAFETENSORS_INIT;
	uint8_t *payload = mem_new_aligned(m->usize, 1, err);
	struct pref_block b = {.n = 0};
	struct pref_schema schema;
	uint64_t left;
	int rc;

	rc = !payload || pref_schema_get(&schema, &p->whole->head, err) ||
	     member_decode(m, (const uint8_t *)body->data, payload, err) ||
	     safetensors_parse(&doc, payload, m->usize, SAFETENSORS_STRICT, err) ||
	     pref_block_open(&b, &schema, &doc, payload, m->nrec, err);
	for (uint32_t from = 0, to; rc == 0 && from < m->nrec; from = to) {
		left = boundary(p, p->at + 1) - (first + from);
		to = left < m->nrec - from ? from + (uint32_t)left : m->nrec;
		rc = left ? put_records(p, &b, from, to, err) : next_part(p, err);
	}
	pref_block_release(&b);
	safetensors_release(&doc);
	free(payload);
	return rc ? -1 : 0;
}

static int split_block(struct parts *p, const struct member *m, const struct buf *body,
	uint64_t first, struct err *err)
{
	while (first >= boundary(p, p->at + 1))
		if (next_part(p, err))
			return -1;
	if (first + m->nrec <= boundary(p, p->at + 1))
		return copy_block(p, m, body, err);
	return cut_block(p, m, body, first, err);
}

static int split_all(struct tssplit *s, struct parts *p, struct err *err)
{
	struct tshop *h = tshop_open(s->path, s->max_payload, err);
	const struct tshop_member *m;
	struct buf body = BUF_INIT;
	uint64_t first = 0;
	int rc = h && start_part(p, err) == 0 ? 1 : -1;

	while (rc == 1 && (rc = tshop_next(h, &m, err)) == 1) {
		if (m->member.kind != MEMBER_BLOCK || !m->member.nrec)
			continue;
		if (first + m->member.nrec > p->whole->totals.records)
			rc = err_set(err, ERR_CORRUPT, "the file grew while it was read");
		else if (tshop_read_body(h, &body, err))
			rc = -1;
		else if (split_block(p, &m->member, &body, first, err))
			rc = err_at(err, "%s: member at byte %llu", s->path,
				(unsigned long long)m->offset);
		first += m->member.nrec;
	}
	while (rc == 0 && p->at + 1 < p->n)
		rc = next_part(p, err);
	if (rc == 0)
		rc = finish_part(p, err);
	buf_release(&body);
	tshop_close(h);
	return rc;
}

int tssplit_write(
	struct tssplit *s, const char *prefix, int n, const struct meta *meta, struct err *err)
{
	struct parts p = {
		.whole = tshop_grammar(s->hop), .prefix = prefix, .n = n, .file = {.fd = -1}};
	struct meta head = META_INIT;
	int rc;

	rc = meta_copy(&head, meta, err) || meta_set(&head, "format", "tstream", err) ||
	     meta_set(&head, "version", "1.0", err);
	p.meta = &head;
	if (rc == 0)
		rc = split_all(s, &p, err);
	outfile_close(&p.file);
	buf_release(&p.scratch);
	meta_release(&head);
	return rc ? -1 : 0;
}
