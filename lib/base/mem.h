/*
 * Memory with checked sizes. Every size that comes from a file goes through these before it is used.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* *out = a * b or a + b; false where that overflows, and *out is then not to be used. */
static inline bool size_mul(size_t a, size_t b, size_t *out)
{
	return !__builtin_mul_overflow(a, b, out);
}

static inline bool size_add(size_t a, size_t b, size_t *out)
{
	return !__builtin_add_overflow(a, b, out);
}

/* n elements of the given size, zeroed, for free(). Never NULL for n = 0. ERR_LIMIT on failure. */
void *mem_new(size_t n, size_t size, struct err *err);

/*
 * As mem_new, on a 64-byte boundary (a cache line, an AVX-512 register), not zeroed. For free(). What is
 * large asks for huge pages, since weights and activations are touched all over at every step.
 */
void *mem_new_aligned(size_t n, size_t size, struct err *err);

/*
 * Makes room for at least need elements in *array, which holds *cap of them, growing by half or more;
 * what is new is not zeroed. 0 or -1 (*array and *cap unchanged).
 */
int mem_grow(void *array, size_t *cap, size_t need, size_t size, struct err *err);

/* Zeroes n bytes of memory from mem_new_aligned(), and gives whole pages of it back until they are touched again. */
void mem_forget(void *p, size_t n);

/*
 * For a program's start: freed blocks of up to 4 MiB, such as a stream's, stay with the process for the next of their
 * kind, 16 MiB of them at most for each of malloc's arenas. Where the C library cannot, nothing changes.
 */
void mem_keep_blocks(void);

/* The copy of n bytes and a zero byte, for free(); NULL with err set on failure. */
char *mem_copy(const char *bytes, size_t n, struct err *err);

#endif
