#include "io/zip.h"

#define ZLIB_CONST
#include <libdeflate.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/mem.h"
#include "io/file.h"

uint32_t zip_crc32(const void *data, size_t n)
{
	return libdeflate_crc32(0, data, n);
}

static int deflate_all(const void *data, size_t n, int level, bool gzip, struct buf *out, struct err *err)
{
	struct libdeflate_compressor *c = libdeflate_alloc_compressor(level);
	size_t room, size = 0, start = out->len;
	char *p;

	if (!c)
		return err_set(err, ERR_LIMIT, "out of memory for deflate");
	room = libdeflate_gzip_compress_bound(c, n);
	p = buf_extend(out, room);
	if (p)
		size = (gzip ? libdeflate_gzip_compress : libdeflate_deflate_compress)(c, data, n, p, room);
	libdeflate_free_compressor(c);
	out->len = start + size;
	if (!size && !buf_check(out, err))
		return err_set(err, ERR_FAILED, "deflate did not finish %zu bytes", n);
	return size ? 0 : -1;
}

int zip_deflate(const void *data, size_t n, int level, struct buf *out, struct err *err)
{
	return deflate_all(data, n, level, false, out, err);
}

int zip_member(const void *data, size_t n, int level, struct buf *out, struct err *err)
{
	return deflate_all(data, n, level, true, out, err);
}

int zip_inflate(const void *data, size_t n, void *out, size_t size, struct err *err)
{
	struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
	size_t read, written = 0;
	bool whole;

	if (!d)
		return err_set(err, ERR_LIMIT, "out of memory for inflate");
	whole = libdeflate_deflate_decompress_ex(d, data, n, out, size, &read, &written) == LIBDEFLATE_SUCCESS &&
		read == n && written == size;
	libdeflate_free_decompressor(d);
	return whole ? 0 : err_set(err, ERR_CORRUPT, "compressed data is damaged");
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
