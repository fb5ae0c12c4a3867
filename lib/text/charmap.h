/*
 * Normalizers that go by single characters: each writes what becomes of cp to `text` (at most CHARMAP_MAX
 * bytes) and returns how many bytes that are, 0 where it goes.
 */
#ifndef TEXT_CHARMAP_H
#define TEXT_CHARMAP_H

#include <stddef.h>
#include <stdint.h>

#define CHARMAP_MAX 8

typedef size_t charmap(uint32_t cp, char *text);

charmap charmap_lower;	 /* small letters, as Rust's to_lowercase */
charmap charmap_clean;	 /* BERT: no control characters, white space as ' ' */
charmap charmap_chinese; /* BERT: ideographs between spaces */
charmap charmap_accents; /* BERT: no non-spacing marks */
charmap charmap_marks;	 /* StripAccents: no marks */
charmap charmap_nmt;	 /* Nmt: fewer control characters, white space as ' ' */
charmap charmap_bytes;	 /* ByteLevel: bytes as their characters */

#endif
