#include "io/tsgrammar.h"

#include <string.h>

#include "base/sha256.h"

void tsgrammar_release(struct tsgrammar *g)
{
	meta_release(&g->head);
	buf_release(&g->digests);
}

int tsgrammar_order(const struct tsgrammar *g, const struct member *m, struct err *err)
{
	uint64_t seq = g->inside ? g->seq : 0, records = g->inside ? g->records : 0;

	if (g->inside == (m->kind == MEMBER_HEADER))
		return err_set(err, ERR_CORRUPT,
			g->inside ? "a header before the END of the segment"
				  : "no header before this member");
	if (m->seq != seq)
		return err_set(err, ERR_CORRUPT,
			"member number %llu where %llu is due: members are missing",
			(unsigned long long)m->seq, (unsigned long long)seq);
	if (m->first != records)
		return err_set(err, ERR_CORRUPT, "record number %llu where %llu is due",
			(unsigned long long)m->first, (unsigned long long)records);
	return 0;
}

/* Metadata that may differ between segments: how they came to be, not what they are. */
static bool may_differ(const char *key)
{
	return !strcmp(key, "prov") || !strcmp(key, "writer");
}

static int compare_heads(const struct meta *a, const struct meta *b, struct err *err)
{
	const struct meta *both[2] = {a, b};
	const char *x, *y;

	for (int side = 0; side < 2; side++)
		for (size_t i = 0; i < both[side]->n; i++) {
			const char *key = both[side]->entries[i].key;

			x = meta_get(a, key);
			y = meta_get(b, key);
			if (!may_differ(key) && (!x || !y || strcmp(x, y)))
				return err_set(err, ERR_MISMATCH,
					"this segment's '%s' is '%.80s', the first segment's "
					"'%.80s'",
					key, y ? y : "missing", x ? x : "missing");
		}
	return 0;
}

int tsgrammar_head(struct tsgrammar *g, const struct safetensors *doc, const uint8_t *payload,
	size_t n, struct err *err)
{
	const char *format = meta_get(&doc->meta, "format"),
		   *version = meta_get(&doc->meta, "version");
	struct sha256 h;
	uint8_t digest[32];

	if (doc->n || !format || strcmp(format, "tstream") || !version || strncmp(version, "1.", 2))
		return err_set(
			err, ERR_CORRUPT, "the header does not say format tstream, version 1");
	g->inside = true;
	g->seq = g->records = 0;
	if (g->segments++)
		return compare_heads(&g->head, &doc->meta, err);
	sha256_init(&h);
	sha256_add(&h, payload, n);
	sha256_finish(&h, digest);
	sha256_hex(digest, g->head_sha256);
	return meta_copy(&g->head, &doc->meta, err);
}

int tsgrammar_encode(
	struct buf *out, enum member_kind kind, const struct meta *meta, struct err *err)
{
	struct safetensors doc = {.meta = *meta}; /* lent: not released */
	uint64_t length = MEMBER_END_PAYLOAD - 8;
	size_t start = out->len;

	if (safetensors_encode(&doc, out, err))
		return -1;
	if (out->len - start - 8 > SAFETENSORS_STRICT_HEADER)
		return err_set(err, ERR_LIMIT, "%zu bytes of metadata are too many for a header",
			out->len - start);
	if (kind != MEMBER_END)
		return 0;
	while (out->len - start < MEMBER_END_PAYLOAD && !out->failed)
		buf_add_char(out, ' ');
	if (buf_check(out, err))
		return -1;
	if (out->len - start > MEMBER_END_PAYLOAD)
		return err_set(err, ERR_LIMIT, "the ledger of END does not fit %d bytes",
			MEMBER_END_PAYLOAD);
	memcpy(out->data + start, &length, 8);
	return 0;
}

int tsgrammar_end(struct tsgrammar *g, const struct member *m, const struct safetensors *doc,
	const struct tsgrammar_seen *seen, struct err *err)
{
	const struct meta *said = &doc->meta;
	const char *records = meta_get(said, "records"), *members = meta_get(said, "members");
	const char *digest = meta_get(said, "payload.sha256");
	struct tstotals *t = &g->totals;
	int64_t tokens = meta_get_int(said, "tokens", -1);

	if (doc->n || meta_get_int(said, "records", -1) != (int64_t)g->records ||
		meta_get_int(said, "members", -1) != (int64_t)m->seq - 1)
		return err_set(err, ERR_CORRUPT,
			"END counts %.20s records in %.20s blocks; there were %llu in %llu",
			records ? records : "no", members ? members : "no",
			(unsigned long long)g->records, (unsigned long long)m->seq - 1);
	if (seen && digest && strcmp(digest, seen->payload_sha256))
		return err_set(err, ERR_CORRUPT, "END names payloads of another digest");
	if (seen && tokens >= 0 && (uint64_t)tokens != seen->tokens)
		return err_set(err, ERR_CORRUPT, "END counts %lld tokens; there were %llu",
			(long long)tokens, (unsigned long long)seen->tokens);
	t->records += g->records;
	t->members += m->seq - 1;
	t->tokens += seen ? seen->tokens : tokens > 0 ? (uint64_t)tokens : 0;
	t->dropped += (uint64_t)meta_get_int(said, "dropped", 0);
	t->truncated += (uint64_t)meta_get_int(said, "truncated", 0);
	digest = seen ? seen->payload_sha256 : digest;
	if (digest && strlen(digest) == 64)
		buf_add(&g->digests, digest, 64);
	g->inside = false;
	return buf_check(&g->digests, err);
}

void tsgrammar_step(struct tsgrammar *g, const struct member *m)
{
	g->seq++;
	g->records += m->nrec;
}

static void sum_digests(struct tsgrammar *g)
{
	char *hex = g->totals.payload_sha256;
	struct sha256 h;
	uint8_t digest[32];

	hex[0] = '\0';
	if (g->digests.len != 64 * g->segments)
		return;
	if (g->segments == 1) {
		memcpy(hex, g->digests.data, 65);
		return;
	}
	sha256_init(&h);
	sha256_add(&h, g->digests.data, g->digests.len);
	sha256_finish(&h, digest);
	sha256_hex(digest, hex);
}

int tsgrammar_finish(struct tsgrammar *g, struct err *err)
{
	if (g->inside)
		return err_set(
			err, ERR_CORRUPT, "the stream has no END: what wrote it did not finish");
	if (!g->segments)
		return err_set(err, ERR_CORRUPT, "no tensor stream: 0 bytes");
	sum_digests(g);
	return 0;
}

int tsgrammar_join(struct tsgrammar *g, const struct tsgrammar *more, struct err *err)
{
	struct tstotals *t = &g->totals;

	if (g->segments ? compare_heads(&g->head, &more->head, err)
			: meta_copy(&g->head, &more->head, err))
		return -1;
	if (!g->segments)
		memcpy(g->head_sha256, more->head_sha256, sizeof g->head_sha256);
	g->segments += more->segments;
	t->records += more->totals.records;
	t->members += more->totals.members;
	t->tokens += more->totals.tokens;
	t->dropped += more->totals.dropped;
	t->truncated += more->totals.truncated;
	buf_add(&g->digests, more->digests.data, more->digests.len);
	if (buf_check(&g->digests, err))
		return -1;
	sum_digests(g);
	return 0;
}
