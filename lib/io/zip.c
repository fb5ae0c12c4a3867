#include "io/zip.h"

#define ZLIB_CONST
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/mem.h"
#include "io/crc32.h"
#include "io/file.h"

uint32_t zip_crc32(const void *data, size_t n)
{
	uint32_t crc = 0;
	size_t done = crc32_fold(&crc, data, n);

	return done == n ? crc : (uint32_t)crc32_z(crc, (const Bytef *)data + done, n - done);
}

static int deflate_part(z_stream *z, const struct zip_part *p, int level, bool last)
{
	int rc;

	if (!p->size && !last)
		return Z_OK;
	rc = deflateParams(z, level, p->floats && level ? Z_RLE : Z_DEFAULT_STRATEGY);
	if (rc != Z_OK)
		return rc;
	z->avail_in = (uInt)p->size;
	return deflate(z, last ? Z_FINISH : Z_NO_FLUSH);
}

int zip_deflate_parts(const void *data, const struct zip_part *parts, size_t n, int level, struct buf *out, struct err *err)
{
	z_stream z = {.next_in = data};
	size_t room, size = 0, start = out->len;
	int rc = Z_OK;
	char *p;

	for (size_t i = 0; i < n; i++)
		size += parts[i].size;
	if (size > UINT_MAX / 2)
		return err_set(err, ERR_LIMIT, "a payload of %zu bytes is too large", size);
	if (deflateInit2(&z, level, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return err_set(err, ERR_LIMIT, "out of memory for deflate");
	room = deflateBound(&z, size) + 16 * n; /* each part may end a block */
	p = buf_extend(out, room);
	if (!p) {
		deflateEnd(&z);
		return buf_check(out, err);
	}
	z.next_out = (Bytef *)p;
	z.avail_out = (uInt)room;
	for (size_t i = 0; i < n && rc == Z_OK; i++)
		rc = deflate_part(&z, &parts[i], level, i + 1 == n);
	out->len = start + z.total_out;
	deflateEnd(&z);
	return rc == Z_STREAM_END ? 0 : err_set(err, ERR_FAILED, "deflate did not finish %zu bytes", size);
}

int zip_deflate(const void *data, size_t n, int level, struct buf *out, struct err *err)
{
	const struct zip_part all = {n, false};

	return zip_deflate_parts(data, &all, 1, level, out, err);
}

int zip_member(const void *data, size_t n, int level, struct buf *out, struct err *err)
{
	static const uint8_t head[10] = {0x1f, 0x8b, 8, [9] = 255};
	uint32_t crc = zip_crc32(data, n);
	uint8_t tail[8];

	for (int i = 0; i < 4; i++) {
		tail[i] = (uint8_t)(crc >> 8 * i);
		tail[4 + i] = (uint8_t)(n >> 8 * i);
	}
	buf_add(out, head, sizeof head);
	if (zip_deflate(data, n, level, out, err))
		return -1;
	buf_add(out, tail, sizeof tail);
	return buf_check(out, err);
}

int zip_inflate(const void *data, size_t n, void *out, size_t size, struct err *err)
{
	z_stream z = {.next_in = data};
	Bytef nothing;
	int rc;

	if (n > UINT_MAX || size > UINT_MAX)
		return err_set(err, ERR_LIMIT, "a block of %zu bytes is too large", size);
	z.avail_in = (uInt)n;
	z.next_out = size ? out : &nothing;
	z.avail_out = (uInt)size;
	if (inflateInit2(&z, -MAX_WBITS) != Z_OK)
		return err_set(err, ERR_LIMIT, "out of memory for inflate");
	rc = inflate(&z, Z_FINISH);
	inflateEnd(&z);
	if (rc != Z_STREAM_END || z.avail_in || z.total_out != size)
		return err_set(err, ERR_CORRUPT,
			"compressed data is damaged (%lu of %zu bytes came out)", z.total_out,
			size);
	return 0;
}

struct zipfile {
	int fd;
	bool gzip, inside, eof; /* inside: of a gzip member */
	z_stream z;
	uint64_t offset; /* of the file, behind what is in the buffer */
	uint8_t buffer[1 << 16];
};

static int fill(struct zipfile *z, struct err *err)
{
	size_t got;

	memmove(z->buffer, z->z.next_in, z->z.avail_in);
	z->z.next_in = z->buffer;
	if (fd_read(z->fd, z->buffer + z->z.avail_in, sizeof z->buffer - z->z.avail_in, &got, err))
		return -1;
	z->eof = got == 0;
	z->offset += got;
	z->z.avail_in += (uInt)got;
	return 0;
}

struct zipfile *zipfile_open(const char *path, struct err *err)
{
	struct zipfile *z = mem_new(1, sizeof *z, err);

	if (!z)
		return NULL;
	z->z.next_in = z->buffer;
	z->fd = file_open(path, err);
	if (z->fd < 0 || fill(z, err)) {
		if (z->fd >= 0)
			err_at(err, "%s", strcmp(path, "-") ? path : "stdin");
		zipfile_close(z);
		return NULL;
	}
	z->gzip = z->z.avail_in >= 2 && z->buffer[0] == 0x1f && z->buffer[1] == 0x8b;
	if (z->gzip && inflateInit2(&z->z, MAX_WBITS + 16) != Z_OK) {
		err_set(err, ERR_LIMIT, "out of memory for inflate");
		z->gzip = false;
		zipfile_close(z);
		return NULL;
	}
	z->inside = z->gzip;
	return z;
}

void zipfile_close(struct zipfile *z)
{
	if (!z)
		return;
	if (z->gzip)
		inflateEnd(&z->z);
	if (z->fd >= 0)
		close(z->fd);
	free(z);
}

static int read_plain(struct zipfile *z, char *p, size_t n, size_t *got, struct err *err)
{
	size_t take;

	for (*got = 0; *got < n; *got += take) {
		if (!z->z.avail_in && (fill(z, err) || z->eof))
			return z->eof ? 0 : -1;
		take = n - *got < z->z.avail_in ? n - *got : z->z.avail_in;
		memcpy(p + *got, z->z.next_in, take);
		z->z.next_in += take;
		z->z.avail_in -= (uInt)take;
	}
	return 0;
}

int zipfile_read(struct zipfile *z, void *p, size_t n, size_t *got, struct err *err)
{
	int rc;

	if (!z->gzip)
		return read_plain(z, p, n, got, err);
	if (n > INT_MAX)
		n = INT_MAX;
	z->z.next_out = p;
	z->z.avail_out = (uInt)n;
	while (z->z.avail_out) {
		if (!z->z.avail_in && !z->eof && fill(z, err))
			return -1;
		if (!z->z.avail_in && !z->inside)
			break;
		if (!z->z.avail_in)
			return err_set(err, ERR_CORRUPT, "gzip data ends early, at byte %llu",
				(unsigned long long)z->offset);
		if (!z->inside) {
			inflateReset(&z->z);
			z->inside = true;
		}
		rc = inflate(&z->z, Z_NO_FLUSH);
		if (rc == Z_STREAM_END)
			z->inside = false;
		else if (rc != Z_OK && rc != Z_BUF_ERROR)
			return err_set(err, ERR_CORRUPT, "gzip data is damaged before byte %llu",
				(unsigned long long)(z->offset - z->z.avail_in));
	}
	*got = n - z->z.avail_out;
	return 0;
}
