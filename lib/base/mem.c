#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#define HUGE_PAGE ((size_t)2 << 20)

static void *refuse(size_t n, size_t size, struct err *err)
{
	err_set(err, ERR_LIMIT, "out of memory: no room for %zu times %zu bytes", n, size);
	return NULL;
}

void *mem_new(size_t n, size_t size, struct err *err)
{
	size_t bytes;
	void *p = size_mul(n, size, &bytes) ? calloc(1, bytes ? bytes : 1) : NULL;

	return p ? p : refuse(n, size, err);
}

void *mem_new_aligned(size_t n, size_t size, struct err *err)
{
	size_t bytes, line = 64;
	void *p;

	if (!size_mul(n, size, &bytes))
		return refuse(n, size, err);
	if (bytes >= 4 * HUGE_PAGE)
		line = HUGE_PAGE;
	if (!size_add(bytes, line, &bytes))
		return refuse(n, size, err);
	p = aligned_alloc(line, bytes / line * line);
	if (p && line == HUGE_PAGE)
		madvise(p, bytes / line * line, MADV_HUGEPAGE); /* advice: fine where it is not taken */
	return p ? p : refuse(n, size, err);
}

int mem_grow(void *array, size_t *cap, size_t need, size_t size, struct err *err)
{
	size_t n = *cap + *cap / 2, bytes;
	void *p;

	if (need <= *cap)
		return 0;
	if (n < need)
		n = need;
	if (n < 16)
		n = 16;
	memcpy(&p, array, sizeof p);
	if (!size_mul(n, size, &bytes) || !(p = realloc(p, bytes))) {
		refuse(n, size, err);
		return -1;
	}
	memcpy(array, &p, sizeof p);
	*cap = n;
	return 0;
}

void mem_forget(void *p, size_t n)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *from = p, *first = from + (page - (uintptr_t)from % page) % page, *end = from + n,
	     *last = end - (uintptr_t)end % page;

	if (first >= last || madvise(first, (size_t)(last - first), MADV_DONTNEED)) {
		memset(from, 0, n);
		return;
	}
	memset(from, 0, (size_t)(first - from));
	memset(last, 0, (size_t)(end - last));
}

char *mem_copy(const char *bytes, size_t n, struct err *err)
{
	char *p = n < SIZE_MAX ? malloc(n + 1) : NULL;

	if (!p)
		return refuse(n, 1, err);
	memcpy(p, bytes, n);
	p[n] = '\0';
	return p;
}

void mem_keep_blocks(void)
{
#ifdef __GLIBC__
	mallopt(M_MMAP_THRESHOLD, 4 << 20);
	mallopt(M_TRIM_THRESHOLD, 16 << 20);
#endif
}
