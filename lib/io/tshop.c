#include "io/tshop.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/file.h"

struct tshop {
	const char *path;
	int fd;
	bool seekable, ended;
	uint64_t max_payload, size; /* size: of a seekable file */
	uint64_t offset, left;	    /* of what is read next; of the member, behind that */
	struct tshop_member current;
	struct tsgrammar grammar;
	struct buf scratch;
	struct err err; /* what tshop_next() fails with from now on */
};

struct tshop *tshop_open(const char *path, uint64_t max_payload, struct err *err)
{
	struct tshop *h = mem_new(1, sizeof *h, err);
	struct stat st;
	off_t at;

	if (!h)
		return NULL;
	h->path = path;
	h->max_payload = max_payload ? max_payload : MEMBER_MAX_PAYLOAD;
	h->fd = file_open(path, err);
	if (h->fd < 0) {
		tshop_close(h);
		return NULL;
	}
	at = lseek(h->fd, 0, SEEK_CUR);
	h->seekable = at >= 0 && fstat(h->fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size >= at;
	if (h->seekable)
		h->size = (uint64_t)(st.st_size - at);
	return h;
}

static int truncated(const struct tshop *h, uint64_t got, struct err *err)
{
	return err_set(err, ERR_CORRUPT, "truncated: %llu of the member's %llu bytes",
		(unsigned long long)got, (unsigned long long)h->current.member.csize);
}

/* n bytes of the current member's body. */
static int read_body(struct tshop *h, void *p, size_t n, struct err *err)
{
	size_t got;

	if (fd_read(h->fd, p, n, &got, err))
		return -1;
	h->offset += got;
	h->left -= got;
	return got == n ? 0 : truncated(h, h->current.member.csize - h->left, err);
}

static int skip_body(struct tshop *h, struct err *err)
{
	char bytes[65536];

	if (h->seekable && h->left) {
		if (h->left > h->size - h->offset)
			return truncated(
				h, h->current.member.csize - h->left + h->size - h->offset, err);
		if (lseek(h->fd, (off_t)h->left, SEEK_CUR) < 0)
			return err_sys(err, "cannot seek");
		h->offset += h->left;
		h->left = 0;
	}
	while (h->left)
		if (read_body(h, bytes, h->left < sizeof bytes ? h->left : sizeof bytes, err))
			return -1;
	return 0;
}

int tshop_read_body(struct tshop *h, struct buf *out, struct err *err)
{
	char *p;

	buf_clear(out);
	p = buf_extend(out, h->left);
	if (!p)
		return buf_check(out, err);
	if (read_body(h, p, h->left, err))
		return err_at(err, "%s: member at byte %llu",
			strcmp(h->path, "-") ? h->path : "stdin",
			(unsigned long long)h->current.offset);
	return 0;
}

/* H or E: decodes it and lets the grammar have it. */
static int take_small(struct tshop *h, struct err *err)
{
	const struct member *m = &h->current.member;
	uint8_t *payload;
	int rc;

	buf_clear(&h->scratch);
	if (!buf_extend(&h->scratch, h->left))
		return buf_check(&h->scratch, err);
	if (read_body(h, h->scratch.data, h->left, err))
		return -1;
	payload = mem_new_aligned(m->usize, 1, err);
	rc = !payload || member_decode(m, (uint8_t *)h->scratch.data, payload, err) ||
	     safetensors_parse(&h->current.doc, payload, m->usize, SAFETENSORS_STRICT, err) ||
	     (m->kind == MEMBER_HEADER
			     ? tsgrammar_head(&h->grammar, &h->current.doc, payload, m->usize, err)
			     : tsgrammar_end(&h->grammar, m, &h->current.doc, NULL, err));
	free(payload);
	return rc ? -1 : 0;
}

static int hop(struct tshop *h, struct err *err)
{
	struct member *m = &h->current.member;
	uint8_t head[MEMBER_HEAD];
	size_t got;

	if (skip_body(h, err))
		return -1;
	safetensors_release(&h->current.doc);
	h->current.offset = h->offset;
	if (fd_read(h->fd, head, sizeof head, &got, err))
		return -1;
	h->offset += got;
	if (got == 0) {
		h->ended = true;
		return tsgrammar_finish(&h->grammar, err);
	}
	if (got < sizeof head)
		return err_set(err, ERR_CORRUPT, "truncated: %zu bytes of a member header", got);
	if (member_parse(m, head, h->max_payload, err) || tsgrammar_order(&h->grammar, m, err))
		return -1;
	h->left = m->csize - MEMBER_HEAD;
	if ((m->kind == MEMBER_HEADER || m->kind == MEMBER_END) && take_small(h, err))
		return -1;
	tsgrammar_step(&h->grammar, m);
	return 1;
}

int tshop_next(struct tshop *h, const struct tshop_member **m, struct err *err)
{
	int rc = 0;

	if (h->err.code)
		rc = -1;
	else if (!h->ended && (rc = hop(h, &h->err)) < 0)
		err_at(&h->err, "%s: member at byte %llu", strcmp(h->path, "-") ? h->path : "stdin",
			(unsigned long long)h->current.offset);
	if (rc < 0)
		*err = h->err;
	*m = &h->current;
	return rc;
}

const struct tsgrammar *tshop_grammar(const struct tshop *h)
{
	return &h->grammar;
}

uint64_t tshop_offset(const struct tshop *h)
{
	return h->offset;
}

void tshop_close(struct tshop *h)
{
	if (!h)
		return;
	if (h->fd >= 0)
		close(h->fd);
	safetensors_release(&h->current.doc);
	tsgrammar_release(&h->grammar);
	buf_release(&h->scratch);
	free(h);
}
