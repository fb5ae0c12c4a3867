/*
 * The types of tensors' elements, as safetensors names them, and their conversion. All are
 * little-endian in files and in memory; big-endian machines are not supported.
 */
#ifndef BASE_DTYPE_H
#define BASE_DTYPE_H

#include <stddef.h>
#include <stdint.h>

enum dtype { F64, I64, U64, F32, I32, U32, F16, BF16, I16, U16, I8, U8, BOOL, DTYPE_COUNT };

#define DTYPE_NONE DTYPE_COUNT

const char *dtype_name(enum dtype t); /* "F32" */
size_t dtype_size(enum dtype t);      /* bytes an element */

/* The type of that name, n bytes long; DTYPE_NONE where there is none. */
enum dtype dtype_parse(const char *name, size_t n);

/* n elements of type from (F64, F32, F16 or BF16) at src to float; rounds F64 only. */
void dtype_to_f32(float *dst, const void *src, enum dtype from, size_t n);

/* n floats to type to (F64, F32, F16 or BF16), rounding to nearest even; NaN stays NaN. */
void dtype_from_f32(void *dst, const float *src, enum dtype to, size_t n);

#endif
