#!/usr/bin/env python3
"""Reads tensor streams, tstream(5), with Python's standard library alone.

    python3 read_tsz.py FILE ...              prints records as lines of JSON
    for record in records(open(FILE, "rb")):  yields them as dictionaries

Every checksum is checked, and the end insisted on: a stream that is damaged or cut off raises ValueError,
after the records before that place. Preference records have the fields of `tstream export`.
"""
import hashlib
import json
import struct
import sys
import zlib

MAGIC = bytes.fromhex("1f8b0804 00000000 00ff 3400 5453 3000 01")
CODES = {"F64": "d", "I64": "q", "U64": "Q", "F32": "f", "I32": "i", "U8": "B"}
MAX_PAYLOAD = 64 << 20


def need(ok, what):
    if not ok:
        raise ValueError(what)


def members(file):
    """Yields (kind, number of records, payload) of each member; returns only after an END."""
    kind, seq, count, digest = b"E", 0, 0, None
    while head := file.read(64):
        need(len(head) == 64 and head.startswith(MAGIC), "not a tensor stream of version 1")
        need(zlib.crc32(head[:60]) == int.from_bytes(head[60:], "little"), "a member's header is damaged")
        if kind == b"E":
            seq, count, digest = 0, 0, hashlib.sha256()
        last = kind
        kind, flags, nrec, at, first, csize, usize, ccrc = struct.unpack_from("<cHIQQQQI", head, 17)
        need(not flags & 0xFF and usize <= MAX_PAYLOAD and 73 <= csize <= 2 * usize + 1024,
             "a member has unknown flags, or is too large")
        need((last == b"E") == (kind == b"H") and at == seq and first == count, "a member is missing")
        rest = file.read(csize - 64)
        need(len(rest) == csize - 64 and zlib.crc32(rest[:-8]) == ccrc, "a member is cut or damaged")
        inflate = zlib.decompressobj(-15)
        payload = inflate.decompress(rest[:-8], usize + 1)
        need(inflate.eof and not inflate.unused_data and len(payload) == usize
             and rest[-8:] == struct.pack("<II", zlib.crc32(payload), usize), "a payload is damaged")
        seq, count = seq + 1, count + nrec
        if kind == b"E":
            end = safetensors(payload)[0]
            need(end.get("records") == str(count) and end.get("payload.sha256") == digest.hexdigest(),
                 "END belongs to another stream")
        digest.update(payload)
        if not kind.islower():  # small letters mark members to be skipped
            yield kind, nrec, payload
    need(kind == b"E" and seq, "the stream is cut off: it has no END")


def safetensors(payload):
    """(metadata, {name: numbers, row after row}) of a safetensors document."""
    start = 8 + int.from_bytes(payload[:8], "little")
    header = json.loads(payload[8:start])
    meta, columns = header.pop("__metadata__", {}), {}
    for name, t in header.items():
        begin, end = t["data_offsets"]
        code = CODES[t["dtype"]]
        n = (end - begin) // struct.calcsize("<" + code)
        columns[name] = struct.unpack(f"<{n}{code}", payload[start + begin:start + end])
    return meta, columns


def preferences(c, nrec):
    """The records of a block with columns c: prompts with k completions each."""
    text, each = "text" in c, 0  # each: where this record's tlogp start
    for i in range(nrec):
        a, b = c["rec"][i], c["rec"][i + 1]
        k, done = b - a - 1, a - i  # completions in this record, and in those before
        bounds = c["seg"][a:b + 1]
        segments = [c["text" if text else "tokens"][x:y] for x, y in zip(bounds, bounds[1:])]
        prompt, *completions = [bytes(s).decode() if text else list(s) for s in segments]
        record = {"id": f"{c['id'][i]:016x}", "prompt": prompt}
        if k == 2:
            record["chosen"], record["rejected"] = completions
        else:
            record["completions"] = completions
        skip = c["skip"][done:done + k] if "skip" in c else [0] * k
        if any(skip):
            record["skip"] = list(skip)
        counted = [len(s) - min(len(s), n if n or prompt else 1) for s, n in zip(completions, skip)]
        for name in c:
            if name == "label" or name.startswith("logp."):
                record[name] = list(c[name][done:done + k])
            elif name.startswith("tlogp."):
                ends = [each + sum(counted[:n]) for n in range(k + 1)]
                record[name] = [list(c[name][x:y]) for x, y in zip(ends, ends[1:])]
            elif name == "cut":
                record[name] = [list(c[name][2 * n:2 * n + 2]) for n in range(done, done + k)]
        if "meta" in c:
            record["meta"] = json.loads(bytes(c["meta"][c["meta_off"][i]:c["meta_off"][i + 1]]) or b"{}")
        each += sum(counted)
        yield record


def records(file):
    """Every record of the stream, as a dictionary."""
    for kind, nrec, payload in members(file):
        if kind != b"B":
            continue
        columns = safetensors(payload)[1]
        if "rec" in columns:
            yield from preferences(columns, nrec)
        else:  # metrics: a number a column
            yield from (dict(zip(columns, row)) for row in zip(*columns.values()))


if __name__ == "__main__":
    for path in sys.argv[1:]:
        try:
            with open(path, "rb") as stream:
                for record in records(stream):
                    print(json.dumps(record, ensure_ascii=False))
        except (OSError, ValueError) as e:
            sys.exit(f"read_tsz: {path}: {e}")
