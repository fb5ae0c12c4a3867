"""bytes_tokenizer.py FOLDER: makes a tokenizer of bytes, a few words made of them, and BOS and EOS."""
import json
import os
import sys

os.makedirs(sys.argv[1], exist_ok=True)
chars = [c for c in range(256) if 33 <= c <= 126 or 161 <= c <= 172 or 174 <= c <= 255]
alphabet = {c: chr(c) for c in chars}
for n, c in enumerate(c for c in range(256) if c not in alphabet):
    alphabet[c] = chr(256 + n)
vocab, merges = {alphabet[c]: c for c in range(256)}, []
for word in [" a", " b", " c", "bc"]:
    pair = [alphabet[c] for c in word.encode()]
    merges.append(pair)
    vocab["".join(pair)] = len(vocab)
special = lambda id, content: {"id": id, "content": content, "special": True, "normalized": False}
json.dump({
    "version": "1.0",
    "added_tokens": [special(260, "<s>"), special(261, "</s>")],
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
    "decoder": {"type": "ByteLevel"},
    "post_processor": {"type": "TemplateProcessing",
                       "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
                       "special_tokens": {"<s>": {"id": "<s>", "ids": [260], "tokens": ["<s>"]}}},
    "model": {"type": "BPE", "vocab": vocab, "merges": merges},
}, open(sys.argv[1] + "/tokenizer.json", "w"))
json.dump({"bos_token": "<s>", "eos_token": {"content": "</s>"}}, open(sys.argv[1] + "/tokenizer_config.json", "w"))
