#include "io/member.h"

#include <string.h>

#include "io/zip.h"

#define VERSION_MAJOR 1

static const uint8_t magic[16] = {0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff, 52, 0, 'T', 'S', 48, 0};

static void put(uint8_t *p, uint64_t x, int bytes)
{
	for (int i = 0; i < bytes; i++)
		p[i] = (uint8_t)(x >> (8 * i));
}

static uint64_t get(const uint8_t *p, int bytes)
{
	uint64_t x = 0;

	for (int i = bytes - 1; i >= 0; i--)
		x = x << 8 | p[i];
	return x;
}

int member_parse(
	struct member *m, const uint8_t head[MEMBER_HEAD], uint64_t max_payload, struct err *err)
{
	uint32_t crc = (uint32_t)get(head + 60, 4);

	if (memcmp(head, magic, sizeof magic))
		return err_set(err, ERR_CORRUPT, "not a tensor stream: no member header here");
	if (zip_crc32(head, 60) != crc)
		return err_set(err, ERR_CORRUPT, "member header is damaged: its checksum is wrong");
	if (head[16] != VERSION_MAJOR)
		return err_set(err, ERR_CORRUPT,
			"unsupported version %d of tensor streams, this is %d", head[16],
			VERSION_MAJOR);
	*m = (struct member){
		.kind = (char)head[17],
		.flags = (uint16_t)get(head + 18, 2),
		.nrec = (uint32_t)get(head + 20, 4),
		.seq = get(head + 24, 8),
		.first = get(head + 32, 8),
		.csize = get(head + 40, 8),
		.usize = get(head + 48, 8),
		.ccrc = (uint32_t)get(head + 56, 4),
	};
	if (!member_ancillary(m) && (!m->kind || !strchr("HBE", m->kind)))
		return err_set(err, ERR_CORRUPT, "member of unknown kind 0x%02x", head[17]);
	if (m->flags & 0xff)
		return err_set(err, ERR_CORRUPT, "member with unknown flags 0x%04x", m->flags);
	if (m->nrec > MEMBER_MAX_RECORDS || (m->nrec && m->kind != MEMBER_BLOCK))
		return err_set(err, ERR_CORRUPT, "member '%c' of %u records", m->kind, m->nrec);
	if (m->usize > max_payload)
		return err_set(err, ERR_LIMIT,
			"a payload of %llu bytes; the limit is %llu (--max-block)",
			(unsigned long long)m->usize, (unsigned long long)max_payload);
	/* Stored blocks cost 5 bytes each 65,535, so that a member is never much larger than its payload. */
	if (m->csize < MEMBER_HEAD + MEMBER_TAIL + 1 ||
		m->csize > m->usize + m->usize / 1024 + 1024 || m->usize > 1032 * m->csize + 64)
		return err_set(err, ERR_CORRUPT, "member of %llu bytes for a payload of %llu",
			(unsigned long long)m->csize, (unsigned long long)m->usize);
	if (m->kind == MEMBER_END &&
		(m->csize != MEMBER_END_SIZE || m->usize != MEMBER_END_PAYLOAD))
		return err_set(err, ERR_CORRUPT, "END of %llu bytes instead of %d",
			(unsigned long long)m->csize, MEMBER_END_SIZE);
	return 0;
}

void member_put_head(const struct member *m, uint8_t head[MEMBER_HEAD])
{
	memcpy(head, magic, sizeof magic);
	head[16] = VERSION_MAJOR;
	head[17] = (uint8_t)m->kind;
	put(head + 18, m->flags, 2);
	put(head + 20, m->nrec, 4);
	put(head + 24, m->seq, 8);
	put(head + 32, m->first, 8);
	put(head + 40, m->csize, 8);
	put(head + 48, m->usize, 8);
	put(head + 56, m->ccrc, 4);
	put(head + 60, zip_crc32(head, 60), 4);
}

int member_encode(struct member *m, const void *payload, size_t n, int level, struct buf *out,
	struct err *err)
{
	size_t start = out->len;
	uint8_t tail[MEMBER_TAIL], *head;

	buf_extend(out, MEMBER_HEAD);
	if (buf_check(out, err) || zip_deflate(payload, n, level, out, err))
		return -1;
	put(tail, zip_crc32(payload, n), 4);
	put(tail + 4, n, 4);
	buf_add(out, tail, sizeof tail);
	if (buf_check(out, err))
		return -1;
	head = (uint8_t *)out->data + start;
	m->csize = out->len - start;
	m->usize = n;
	m->ccrc = zip_crc32(head + MEMBER_HEAD, m->csize - MEMBER_HEAD - MEMBER_TAIL);
	member_put_head(m, head);
	return 0;
}

int member_check_body(const struct member *m, const uint8_t *rest, struct err *err)
{
	if (zip_crc32(rest, m->csize - MEMBER_HEAD - MEMBER_TAIL) != m->ccrc)
		return err_set(err, ERR_CORRUPT, "member body is damaged: its checksum is wrong");
	return 0;
}

int member_inflate(const struct member *m, const uint8_t *rest, void *payload, struct err *err)
{
	size_t body = m->csize - MEMBER_HEAD - MEMBER_TAIL;

	if (zip_inflate(rest, body, payload, m->usize, err))
		return -1;
	if (get(rest + body, 4) != zip_crc32(payload, m->usize) ||
		get(rest + body + 4, 4) != (m->usize & 0xffffffff))
		return err_set(
			err, ERR_CORRUPT, "member payload is damaged: its checksum is wrong");
	return 0;
}

int member_decode(const struct member *m, const uint8_t *rest, void *payload, struct err *err)
{
	return member_check_body(m, rest, err) || member_inflate(m, rest, payload, err) ? -1 : 0;
}
