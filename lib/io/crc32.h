/* CRC-32 as gzip has it (RFC 1952), by the processor's multiplication without carries where it has one. */
#ifndef IO_CRC32_H
#define IO_CRC32_H

#include <stddef.h>
#include <stdint.h>

/*
 * Where the processor can: reads n - n % 16 bytes, 64 of them at least, and sets *crc, which was the CRC-32 of
 * what came before, to that of both. How many bytes were read; 0: do it otherwise.
 */
size_t crc32_fold(uint32_t *crc, const void *data, size_t n);

#endif
